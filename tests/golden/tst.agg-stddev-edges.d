/* options: -q */
/* Deviations: of one value, of equal ones, of negative ones. */
BEGIN
{
	@one = stddev(9);
	@same = stddev(5);
	@same = stddev(5);
	@neg = stddev(-10);
	@neg = stddev(-20);
	@big = stddev(1000000000);
	@big = stddev(3000000000);
	printa("%@d ", @one);
	printa("%@d ", @same);
	printa("%@d ", @neg);
	printa("%@d\n", @big);
	exit(0);
}
