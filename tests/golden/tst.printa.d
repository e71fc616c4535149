/* printa() with a format, of several aggregations: the union of keys, gaps filled with 0. */
#pragma D option quiet
BEGIN
{
	@a["one"] = count();
	@a["two"] = count();
	@a["two"] = count();
	@b["two"] = sum(70);
	@b["three"] = sum(30);
	printa("%-6s %@3d %@5d\n", @a, @b);
	printa(@a);
	printa(@a, @b);
	exit(0);
}
