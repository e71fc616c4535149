/* options: -q */
/* agghist: a bar a key, all sharing forty columns; sums may be negative. */
#pragma D option agghist
BEGIN
{
	@counts["one"] = count();
	@counts["three"] = count();
	@counts["three"] = count();
	@counts["three"] = count();
	@signed["up", 1] = sum(10);
	@signed["down", 2] = sum(-10);
	@plain = max(7);
	exit(0);
}
