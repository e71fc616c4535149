/* A division by zero is refused where it is read, even if nobody would compute it. */
BEGIN { trace(0 ? 1 / 0 : 2); exit(0); }
