/* options: -q */
/* BEGIN joins and measures. */
BEGIN
{
	printf("[%s][%s][%s]\n", strjoin("a", "bc"), strjoin("", "x"), strjoin("", ""));
	printf("%d %d %d\n", strlen(""), strlen("abc"), strlen(strjoin("ab", "cd")));
	printf("%s\n", strjoin(strjoin("1", "2"), strjoin("3", "4")));
	printf("%d\n", sizeof (strlen("x")));
	exit(0);
}
