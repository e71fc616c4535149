/* options: -q */
/* The type of a constant is the first that holds it, by base and suffix. */
BEGIN
{
	printf("%d %d %d\n", sizeof (1), sizeof (2147483647), sizeof (2147483648));
	printf("%d %d %d\n", sizeof (0x7fffffff), sizeof (0xffffffff), sizeof (0x100000000));
	printf("%d %d %d %d\n", sizeof (1U), sizeof (1L), sizeof (1LL), sizeof (1ULL));
	printf("%d %d %d\n", 0x1F, 017, 0);
	printf("%d\n", 0xffffffff == -1);
	printf("%d\n", 4294967295 == -1);
	printf("%u\n", 0xffffffffffffffff);
	exit(0);
}
