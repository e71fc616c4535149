/* options: -q */
/* A decision that the compiler can make leaves its one branch: an action may stand there. */
BEGIN { printf("%s\n", 1 ? "a" : 2); }
BEGIN { 0 ? exit(1) : printf("printed\n"); }
BEGIN { 1 ? exit(0) : exit(1); }
