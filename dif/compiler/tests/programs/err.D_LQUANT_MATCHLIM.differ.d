plain:::go
{
	@a = lquantize(arg0, 0, 10, 1); @a = lquantize(arg0, 0, 20, 1);
}
