plain:::go
{
	@a = count(1);
}
