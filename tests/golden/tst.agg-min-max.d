/* options: -q */
/* min() and max() of negative and positive values, of zero alone. */
BEGIN
{
	@min["n"] = min(-3);
	@min["n"] = min(7);
	@min["z"] = min(0);
	@max["n"] = max(-3);
	@max["n"] = max(-7);
	@max["z"] = max(0);
	printa("%s %@d %@d\n", @min, @max);
	exit(0);
}
