/* options: -q */
/* An error in an ERROR clause is counted, and does not fire ERROR again. */
BEGIN { x = *(int *)0; }
BEGIN { exit(0); }
ERROR { y = *(int *)16; }
ERROR { printf("second\n"); }
