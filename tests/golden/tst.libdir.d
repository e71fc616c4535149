/* options: -q -L libraries */
/* Libraries of the user's own: a.d needs b.d, c.d needs a provider that is not there. */
BEGIN { printf("%d %d\n", AA, sizeof (mine_t)); exit(0); }
