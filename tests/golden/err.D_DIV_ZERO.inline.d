inline int ZERO = 0;
BEGIN { trace(1 / ZERO); }
