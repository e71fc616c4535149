plain:::go
{
	@a = strlen("x");
}
