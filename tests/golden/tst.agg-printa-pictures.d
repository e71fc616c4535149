/* options: -q */
/* A picture in a format begins its own lines wherever %@d stands. */
BEGIN
{
	@q["k"] = quantize(3);
	printa("<%s%@d>\n", @q);
	exit(0);
}
