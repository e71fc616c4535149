/* options: -q */
/* Escapes in strings. */
BEGIN
{
	printf("%s", "a\tb\\c\"d\x41\102\n");
	printf("%d\n", strlen("a\tb"));
	printf("%S\n", "\a\b\f\n\r\t\v\\\"\001\177");
	exit(0);
}
