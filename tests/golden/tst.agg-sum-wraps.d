/* options: -q */
/* Sums are 64 bits wide. */
BEGIN
{
	@ = sum(0x7fffffffffffffff);
	@ = sum(1);
	printa("%@d\n", @);
	exit(0);
}
