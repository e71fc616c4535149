plain:::go
{
	x = "a" + 1;
}
