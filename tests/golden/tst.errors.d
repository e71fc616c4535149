/* options: -q */
/* Every kind of fault in dtrace's words; the clause ends there, the next goes on. */
BEGIN { x = 0; }
BEGIN { printf("%d", 10 / x); }
BEGIN { printf("%d", *(int *)NULL); }
BEGIN /10 % x/ { trace(1); }
BEGIN { y = 1; printf("%d\n", 10 / x); }
BEGIN { exit(0); }
ERROR { printf("%d %d %d %d %x\n", arg1, arg2, arg3, arg4, arg5); }
