/* options: -q */
/* Assignments before a fault stay. */
BEGIN { x = 7; trace(*(char *)0); x = 8; }
BEGIN { printf("%d\n", x); exit(0); }
