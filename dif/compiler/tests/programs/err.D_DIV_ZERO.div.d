plain:::go
{
	x = 1 / 0;
}
