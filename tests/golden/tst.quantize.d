/* The picture of quantize(), with negative values, zero and positive ones. */
#pragma D option quiet
BEGIN
{
	@a = quantize(0);
	@a = quantize(1);
	@a = quantize(-8);
	@a = quantize(100);
	@a = quantize(100);
	printa(@a);
	exit(0);
}
