/* A weight counts as so many values; it is any expression. */
#pragma D option quiet
BEGIN
{
	w = 1;
	@a = quantize(5, w + 1);
	@a = quantize(6);
	printa(@a);
	exit(0);
}
