/* options: -q */
/* Bases out of range, strings and memory that are not there, too much scratch. */
BEGIN { printf("%d\n", strtoll("12", 37)); }
BEGIN { printf("%d\n", strtoll("12", 1)); }
BEGIN { printf("%s\n", lltostr(5, 1)); }
BEGIN { printf("%s\n", lltostr(5, 37)); }
BEGIN { printf("%s\n", strjoin("x", NULL)); }
BEGIN { printf("%s\n", copyinstr(0)); }
BEGIN { printf("%s\n", stringof((char *)8)); }
BEGIN { alloca(1000000000); printf("no\n"); }
BEGIN { printf("%s\n", strtok(NULL, ",")); }
BEGIN { exit(0); }
ERROR { printf("%d %d\n", arg1 > 0, arg4); }
