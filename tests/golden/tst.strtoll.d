/* options: -q */
/* strtoll(): blanks, a sign, digits of the base, and then whatever. */
BEGIN
{
	printf("%d %d %d\n", strtoll("42"), strtoll("  -42"), strtoll("+7"));
	printf("%d %d %d\n", strtoll("ff", 16), strtoll("0xff", 16), strtoll("777", 8));
	printf("%d %d %d\n", strtoll("101", 2), strtoll("zZ", 36), strtoll("12x9"));
	printf("%d %d %d\n", strtoll(""), strtoll("x"), strtoll("-"));
	printf("%d\n", strtoll("9223372036854775807"));
	printf("%d\n", strtoll("-9223372036854775808"));
	printf("%d\n", strtoll("010"));
	exit(0);
}
