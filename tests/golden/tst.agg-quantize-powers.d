/* options: -q */
/* Powers of two and their neighbours fall where they must. */
BEGIN
{
	@["3"] = quantize(3);
	@["4"] = quantize(4);
	@["7"] = quantize(7);
	@["-1"] = quantize(-1);
	@["-2"] = quantize(-2);
	@["-3"] = quantize(-3);
	printa("%s%@d", @);
	exit(0);
}
