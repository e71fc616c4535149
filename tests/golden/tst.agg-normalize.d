/* options: -q */
/* A factor holds until it is undone or another takes its place. */
BEGIN
{
	@["x"] = sum(1000);
	normalize(@, 10);
	printa("%@d ", @);
	normalize(@, 1000);
	printa("%@d ", @);
	normalize(@, 3000);
	printa("%@d ", @);
	denormalize(@);
	printa("%@d\n", @);
	exit(0);
}
