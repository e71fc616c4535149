/* options: -q */
/* args: one two */
/* Only the last argument must be used. */
BEGIN { printf("%s\n", $$2); exit(0); }
