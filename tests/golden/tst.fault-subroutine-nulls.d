/* options: -q */
/* NULL where memory is wanted is a fault of that clause, for every subroutine. */
int n;
BEGIN { trace(strlen(NULL)); }
BEGIN { trace(strjoin(NULL, "a")); }
BEGIN { trace(strchr(NULL, 'a')); }
BEGIN { trace(strrchr(NULL, 'a')); }
BEGIN { trace(strstr(NULL, "a")); }
BEGIN { trace(strstr("a", NULL)); }
BEGIN { trace(substr(NULL, 1)); }
BEGIN { trace(index(NULL, "a")); }
BEGIN { trace(rindex("a", NULL)); }
BEGIN { trace(toupper(NULL)); }
BEGIN { trace(tolower(NULL)); }
BEGIN { trace(basename(NULL)); }
BEGIN { trace(dirname(NULL)); }
BEGIN { trace(cleanpath(NULL)); }
BEGIN { trace(strtoll(NULL)); }
BEGIN { trace(json(NULL, "a")); }
BEGIN { trace(inet_ntop(2, NULL)); }
BEGIN { trace(inet_ntoa(NULL)); }
BEGIN { trace(inet_ntoa6(NULL)); }
BEGIN { trace(memstr(NULL, ' ', 4)); }
BEGIN { trace(uuidstr(NULL)); }
BEGIN { trace(copyinstr(0)); }
BEGIN { copyinto(0, 4, alloca(4)); }
BEGIN { bcopy(NULL, alloca(3), 3); }
BEGIN { bcopy("abc", NULL, 3); }
BEGIN { tracemem(copyin(0, 4), 4); }
BEGIN { printf("%d faults\n", n); exit(0); }
ERROR { n++; @[arg4] = count(); }
