/* options: -q */
/* Widths, bases and repeats of keys and values; a format without %@ prints each key's line. */
BEGIN
{
	@["a"] = count(); @["a"] = count(); @["bb"] = count();
	@n[1] = sum(-5); @n[2] = sum(10); @m = min(7);
	printa("%s %@d\n", @);
	printa("[%-10s|%10@d]\n", @);
	printa("%d %@u %@x\n", @n);
	printa("%@d %@d\n", @n);
	printa("no conversion\n", @n);
	printa("@%@d@\n", @m);
	printa(@);
	exit(0);
}
