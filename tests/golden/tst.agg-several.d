/* options: -q */
/* Several aggregations at once: more conversions than aggregations repeat the last. */
BEGIN
{
	@a["x"] = count();
	@b["x"] = sum(10);
	@b["y"] = sum(20);
	printa("%s %@d %@d %@d\n", @a, @b);
	printa("%s %@d\n", @a, @b);
	printa("%@5d|%-3s|%@-5d|\n", @a, @b);
	exit(0);
}
