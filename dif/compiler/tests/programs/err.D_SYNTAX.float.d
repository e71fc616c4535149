plain:::go
{
	x = 1.5;
}
