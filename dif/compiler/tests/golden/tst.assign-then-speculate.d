BEGIN { x = 1; speculate(x); trace(x); }
