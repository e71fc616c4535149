/* options: -q */
/* Averages round to zero; deviations are of the whole population. */
BEGIN
{
	@avg = avg(-1);
	@avg = avg(-2);
	@dev = stddev(1);
	@dev = stddev(5);
	@dev = stddev(9);
	@norm = stddev(100);
	@norm = stddev(300);
	normalize(@norm, 10);
	printa("%@d ", @avg);
	printa("%@d ", @dev);
	printa("%@d\n", @norm);
	printa(@avg);
	exit(0);
}
