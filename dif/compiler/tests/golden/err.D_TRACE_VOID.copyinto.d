BEGIN { trace(bcopy(NULL, NULL, 1)); }
