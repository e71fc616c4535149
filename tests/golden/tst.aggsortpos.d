/* options: -q */
/* Several aggregations are joined over their keys; aggsortpos names the one that sorts. */
BEGIN
{
	@a["x"] = count();
	@a["y"] = count();
	@a["y"] = count();
	@b["x"] = sum(9);
	@b["z"] = sum(4);
	printa("%s %@d %@d\n", @a, @b);
	printf("--\n");
	setopt("aggsortpos", "1");
	printa("%s %@d %@d\n", @a, @b);
	printf("--\n");
	printa("%s %@d %@d %@d\n", @b, @a);
	printa(@a, @b);
	exit(0);
}
