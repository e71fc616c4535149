/* options: -q */
/* A speculation into which nothing was traced commits to nothing. */
BEGIN { s = speculation(); printf("%d\n", s); }
BEGIN { commit(s); }
BEGIN { printf("after\n"); exit(0); }
