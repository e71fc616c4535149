BEGIN { trace(arg0 ? "s" : 1); }
