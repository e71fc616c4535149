/* lquantize() names what lies below and above its range. */
#pragma D option quiet
BEGIN
{
	@ = lquantize(-5, 0, 50, 10);
	@ = lquantize(15, 0, 50, 10);
	@ = lquantize(16, 0, 50, 10);
	@ = lquantize(1000, 0, 50, 10);
	exit(0);
}
