/* options: -q */
/* What binds before what: C's order, with ^^ between && and ||. */
BEGIN
{
	printf("%d %d %d\n", 2 + 3 * 4 % 5, 10 - 5 - 2, -2 * -3 - -4);
	printf("%d %d\n", 1 << 2 + 1, (1 << 2) + 1);
	printf("%d %d\n", 1 | 2 ^ 3 & 4, (1 | 2) ^ 3);
	printf("%d %d\n", 3 == 3 == 1, 1 < 2 == 1);
	printf("%d %d\n", 1 || 0 && 0, (1 || 0) && 0);
	printf("%d %d\n", !0 + 1, ~1 & 3);
	printf("%d\n", 0 ? 1 : 0 ? 2 : 3);
	printf("%d\n", 4 & 6 == 6);
	exit(0);
}
