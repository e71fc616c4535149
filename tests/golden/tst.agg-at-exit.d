/* options: -q */
/* What was never printed is, at exit, in the order of the aggregations' appearance. */
BEGIN
{
	@z["late"] = count();
	@l = lquantize(5, 0, 10, 2);
	@ll = llquantize(120, 10, 0, 3, 20);
	@ma = max(-3);
	@sd = stddev(1); @sd = stddev(9);
	exit(0);
}
