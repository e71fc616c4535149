BEGIN { x = 3; tracemem(alloca(3), x); }
