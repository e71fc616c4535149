/* options: -q */
/* A fault in a predicate is a fault of its clause: action #0. */
BEGIN / *(int *)0 == 1/ { printf("no\n"); }
BEGIN { printf("on\n"); exit(0); }
ERROR { printf("%d %d\n", arg2, arg4); }
