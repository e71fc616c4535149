/* A fault leaves its clause, fires ERROR, and the next clauses run. */
#pragma D option quiet
BEGIN { printf("before "); x = *(int *)8; printf("never\n"); }
BEGIN { printf("after\n"); }
ERROR { printf("error: epid %d, action %d, fault %d, address %x\n", arg1, arg2, arg4, arg5); }
BEGIN { exit(0); }
