/* options: -q */
/* Quotients of sums are cut towards 0. */
BEGIN
{
	@a = avg(-5); @a = avg(2);
	@s = stddev(-5); @s = stddev(5);
	printa("%@d", @a); printa(" %@d\n", @s);
	exit(0);
}
