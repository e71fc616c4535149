BEGIN { printf("%ws", "abc"); }
