/* options: -q */
/* Clauses of one probe run in order, each with its own predicate; what one sets the next sees. */
BEGIN { n = 0; }
BEGIN /n == 0/ { n = 1; printf("first\n"); }
BEGIN /n == 1/ { n = 2; printf("second\n"); }
BEGIN /n == 0/ { printf("never\n"); }
BEGIN /n/ { printf("%d\n", n); exit(0); }
