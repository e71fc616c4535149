/* So is a function that is not there. */
BEGIN { trace(1 ? 2 : nosuch(1)); exit(0); }
