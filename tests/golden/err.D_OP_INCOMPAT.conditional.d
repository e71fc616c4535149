BEGIN { x = 0; trace(x ? "a" : 2); }
