/* options: -q */
/* Joins, searches, cases. */
BEGIN { printf("[%s][%s]%d %d\n", strjoin("a", "b"), strjoin("", ""), strlen(""), strlen("abc")); }
BEGIN { printf("[%s][%s][%s][%s]\n", strstr("abcabc", "bc"), strstr("abc", ""), strchr("abc", 'b'), strrchr("abcb", 'b')); }
BEGIN { printf("%s %s [%s]\n", toupper("aBc1z{"), tolower("AbC[Z"), toupper("")); }
BEGIN { printf("%s %s\n", lltostr(10, 36), lltostr(-255, 16)); exit(0); }
