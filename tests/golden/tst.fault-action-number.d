/* options: -q */
/* arg2 counts the clause's actions from 1. */
BEGIN { x = 1; y = 2; trace(*(int *)8); }
BEGIN { exit(0); }
ERROR { printf("action %d fault %d address 0x%x\n", arg2, arg4, arg5); }
