/* options: -q */
/* Every op= with an int; the value is cut to the variable's type. */
int i;
char c;
unsigned char uc;
BEGIN
{
	i = 100;
	i += 5; printf("%d ", i);
	i -= 15; printf("%d ", i);
	i *= 3; printf("%d ", i);
	i /= 4; printf("%d ", i);
	i %= 10; printf("%d ", i);
	i <<= 4; printf("%d ", i);
	i >>= 2; printf("%d ", i);
	i |= 3; printf("%d ", i);
	i &= 0xa; printf("%d ", i);
	i ^= 0xff; printf("%d\n", i);
	c = 127;
	c += 1;
	printf("%d\n", c);
	uc = 250;
	uc += 10;
	printf("%d\n", uc);
	i = 0x7fffffff;
	i += 1;
	printf("%d\n", i);
	exit(0);
}
