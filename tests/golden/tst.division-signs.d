/* options: -q */
/* Quotients are cut towards 0, and the rest has the sign of the dividend. */
BEGIN
{
	printf("%d %d %d %d\n", 7 / 2, -7 / 2, 7 / -2, -7 / -2);
	printf("%d %d %d %d\n", 7 % 2, -7 % 2, 7 % -2, -7 % -2);
	printf("%d %d\n", -1 / 2, 1 % -1);
	exit(0);
}
