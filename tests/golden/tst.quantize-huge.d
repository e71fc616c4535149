/* options: -q */
/* The ends of the scale. */
BEGIN
{
	@max = quantize(0x7fffffffffffffff);
	@min = quantize(-0x7fffffffffffffff - 1);
	@zero = quantize(0);
	exit(0);
}
