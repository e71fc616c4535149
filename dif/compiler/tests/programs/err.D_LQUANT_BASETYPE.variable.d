plain:::go
{
	@a = lquantize(arg0, arg1, 10, 1);
}
