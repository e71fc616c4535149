/* options: -q */
/* Suffixes make a constant unsigned or long, bases go beyond int by themselves. */
BEGIN
{
	printf("%d %d %d %d\n", sizeof (1), sizeof (1L), sizeof (1LL), sizeof (2147483648));
	printf("%d %d\n", sizeof (0xffffffff), sizeof (0x100000000));
	printf("%d %d\n", 10u - 20, (int)(10u - 20));
	printf("%d\n", 10ul - 20);
	printf("%x %d %d\n", 0XFF, 017, 0);
	printf("%x\n", 0xffffffffffffffff);
	exit(0);
}
