BEGIN { trace(&strlen("a")); }
