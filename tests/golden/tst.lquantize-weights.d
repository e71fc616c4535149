/* options: -q */
/* Steps of 1 by default, ends with their own buckets, weights, keys before the picture. */
BEGIN
{
	@[lltostr(1), 5] = lquantize(3, 0, 100);
	@c = lquantize(-5, -10, 10, 5);
	@c = lquantize(100, -10, 10, 5);
	@c = lquantize(-100, -10, 10, 5, 3);
	exit(0);
}
