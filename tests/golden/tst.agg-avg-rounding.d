/* options: -q */
/* Averages are cut towards zero, after the normalisation. */
BEGIN
{
	@a["up"] = avg(7);
	@a["up"] = avg(8);
	@a["down"] = avg(-7);
	@a["down"] = avg(-8);
	printa("%s %@d\n", @a);
	normalize(@a, 2);
	printa("%s %@d\n", @a);
	exit(0);
}
