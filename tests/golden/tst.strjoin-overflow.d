/* options: -q -x strsize=8 */
/* Strings are cut at strsize, zero included; strjoin() of what does not fit is a fault. */
BEGIN { printf("[%s][%d]\n", "abcdefghijkl", strlen("abcdefghijkl")); }
BEGIN { printf("%s\n", strjoin("abc", "def")); }
BEGIN { printf("%s\n", strjoin("abcde", "fghij")); }
BEGIN { s = "abcdefghijkl"; printf("[%s]\n", s); exit(0); }
ERROR { printf("fault %d\n", arg4); }
