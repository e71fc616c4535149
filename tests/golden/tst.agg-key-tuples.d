/* options: -q */
/* A printa() format may leave keys out at the end, never more than there are. */
BEGIN
{
	@[1, "two", 3] = count();
	printa("%d %s %d %@d\n", @);
	printa("%d %@d\n", @);
	printa("%@d\n", @);
	exit(0);
}
