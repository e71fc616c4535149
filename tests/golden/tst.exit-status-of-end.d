/* exit() stops later BEGIN clauses but not its own; END still runs, and its exit() decides. */
#pragma D option quiet
BEGIN { printf("first\n"); exit(7); printf("same clause\n"); }
BEGIN { printf("never\n"); }
END { printf("end\n"); exit(0); }
