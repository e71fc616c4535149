#ifdef X
BEGIN { exit(0); }
