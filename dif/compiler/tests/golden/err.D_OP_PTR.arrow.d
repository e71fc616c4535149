BEGIN { trace(execname->x); }
