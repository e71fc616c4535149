plain:::go
{
	x = 1; y = &x;
}
