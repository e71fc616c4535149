BEGIN { trace(arg10); }
