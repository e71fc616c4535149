plain:::go
{
	@a = sum("x");
}
