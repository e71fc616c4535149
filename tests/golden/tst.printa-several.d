/* options: -q */
/* Several aggregations: all keys of all of them, gaps are 0, sorted by the first. */
BEGIN
{
	@a[1] = sum(10); @a[2] = sum(20); @b[2] = count(); @b[3] = count(); @d[1] = avg(7); @d[4] = avg(8);
	printa("%d %@d %@d\n", @a, @b);
	printa(@a, @b);
	printa("%d %@d %@d %@d\n", @a, @b, @d);
	printa(@a, @a);
	printa("%d %@d %@d\n", @b, @a);
	exit(0);
}
