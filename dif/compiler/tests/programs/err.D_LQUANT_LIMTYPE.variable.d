plain:::go
{
	@a = lquantize(arg0, 0, arg1, 1);
}
