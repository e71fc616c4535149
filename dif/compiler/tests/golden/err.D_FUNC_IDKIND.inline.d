inline int f = 1;
BEGIN { trace(f(2)); }
