/* options: -q */
/* A string may be indexed: its characters, and the NUL behind them. */
BEGIN
{
	s = "abc";
	printf("%c %c %d %c\n", s[0], *(s + 1), s[3], *"xyz");
	printf("%s %d\n", execname[0] == 'd' ? "dtrace" : "other", sizeof (s[0]));
	exit(0);
}
