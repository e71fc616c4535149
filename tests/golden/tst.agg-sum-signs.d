/* options: -q */
/* sum() is signed in all its forms; %u and %x show its bits. */
BEGIN
{
	@s["a"] = sum(-5);
	@s["a"] = sum(2);
	@s["b"] = sum(4294967296);
	printa("%s %@d %@i\n", @s);
	printa("%@u\n", @s);
	printa("%@x|%@20d|%@-20d|\n", @s);
	exit(0);
}
