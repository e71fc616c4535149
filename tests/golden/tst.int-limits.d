/* options: -q */
/* int stays int when it overflows; a constant that does not fit is a long. */
BEGIN
{
	printf("%d %d\n", 2147483647 + 1, 0x7fffffff + 1);
	printf("%d %d\n", 2147483648 + 1, 2147483647L + 1);
	printf("%d %d\n", -2147483648, -2147483647 - 2);
	exit(0);
}
