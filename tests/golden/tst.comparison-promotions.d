/* options: -q */
/* Unsigned wins in operands of the same size, the longer one in others; chars do not become ints. */
BEGIN
{
	printf("%d %d %d\n", -1 < 1u, -1 < 1ul, -1L < 1u);
	printf("%d %d\n", (char)-1 < (unsigned char)1, (short)-1 < (unsigned short)1);
	printf("%d %d\n", (char)-1 < 1, (unsigned char)255 > (short)-1);
	exit(0);
}
