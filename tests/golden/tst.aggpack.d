/* options: -q -x encoding=ascii */
/* aggpack: a distribution a line, over the buckets that any key fills. */
#pragma D option aggpack
BEGIN
{
	@power["small"] = quantize(1);
	@power["large"] = quantize(70000);
	@power["large"] = quantize(70000);
	@linear["x"] = lquantize(25, 0, 50, 10);
	@linear["y"] = lquantize(-1, 0, 50, 10);
	@number["z"] = count();
	exit(0);
}
