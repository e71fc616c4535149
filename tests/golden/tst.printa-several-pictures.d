/* options: -q */
/* A gap in a distribution is an empty one. */
BEGIN
{
	@a[1] = sum(10); @a[2] = sum(20); @c[3] = quantize(5); @c[1] = quantize(1);
	printa("%d: %@d%@d\n", @c, @a);
	exit(0);
}
