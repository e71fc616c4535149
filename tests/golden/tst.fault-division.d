/* options: -q */
/* Division by zero that the compiler cannot see is a fault of that clause alone. */
BEGIN { zero = 0; }
BEGIN { x = 5 / zero; printf("no\n"); }
BEGIN { x = 5 % zero; printf("no\n"); }
BEGIN { printf("on\n"); exit(0); }
ERROR { printf("%d %d\n", arg4 == DTRACEFLT_DIVZERO, arg4); }
