BEGIN { trace(1 ? "a" : 5); trace(0 ? "a" : 5); }
