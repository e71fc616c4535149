BEGIN { x = trace(5); }
