/* options: -q */
/* After clear() a minimum is that of the new values and the zero that clear() left. */
#pragma D option aggrate=1ms
#pragma D option switchrate=1ms
BEGIN
{
	@m = min(5);
	@a = avg(5);
}
tick-50ms
/++n == 1/
{
	printa("%@d", @m);
	printa(" %@d\n", @a);
	clear(@m);
	clear(@a);
}
tick-50ms
/n == 2/
{
	@m = min(9);
	@a = avg(9);
}
tick-50ms
/n == 4/
{
	printa("%@d", @m);
	printa(" %@d\n", @a);
	exit(0);
}
