plain:::go
{
	x = "a" * 2;
}
