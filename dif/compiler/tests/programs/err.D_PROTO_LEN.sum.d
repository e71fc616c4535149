plain:::go
{
	@a = sum();
}
