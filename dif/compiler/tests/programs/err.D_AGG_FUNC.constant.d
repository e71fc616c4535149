plain:::go
{
	@a = 1;
}
