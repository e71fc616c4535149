/* options: -q */
/* lltostr(): decimal with sign, any other base without, with C's prefix for 8 and 16. */
BEGIN
{
	printf("%s %s %s\n", lltostr(0), lltostr(-1), lltostr(123456789012));
	printf("%s\n", lltostr(-9223372036854775807 - 1));
	printf("%s %s %s\n", lltostr(255, 16), lltostr(8, 8), lltostr(5, 2));
	printf("%s %s\n", lltostr(-1, 16), lltostr(35, 36));
	printf("%s %s\n", lltostr(0, 16), lltostr(0, 8));
	printf("%s\n", lltostr(-12, 10));
	exit(0);
}
