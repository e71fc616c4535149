/* options: -q */
/* What was printed by hand is not printed at the end; what never was is. */
BEGIN
{
	@shown = count();
	@left["k"] = sum(3);
	@cleared = count();
	clear(@cleared);
	printa("%@d\n", @shown);
	exit(0);
}
