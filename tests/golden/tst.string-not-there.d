/* options: -q */
/* A string that was never set has no text: a fault to print it, and equal to NULL and to "". */
string names[int];
BEGIN { printf("%d %d\n", names[5] == NULL, strlen("") == 0); }
BEGIN { printf("%s\n", names[5]); }
BEGIN { exit(0); }
ERROR { printf("fault %d\n", arg4); }
