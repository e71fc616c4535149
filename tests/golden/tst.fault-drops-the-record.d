/* options: -q */
/* What a clause traced before it faulted is gone with it. */
BEGIN { printf("lost\n"); trace(*(char *)0); }
BEGIN { printf("kept\n"); exit(0); }
