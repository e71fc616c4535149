/* Every aggregating function, keys of several kinds, sorted by value and then by key. */
#pragma D option quiet
BEGIN
{
	@count["b"] = count();
	@count["a"] = count();
	@count["a"] = count();
	@sum["x", 1] = sum(10);
	@sum["x", 1] = sum(-3);
	@sum["y", 2] = sum(-3);
	@min = min(5);
	@min = min(-2);
	@max = max(5);
	@max = max(-2);
	@avg = avg(10);
	@avg = avg(5);
	@stddev = stddev(2);
	@stddev = stddev(6);
	exit(0);
}
