plain:::go
{
	x = 'o;
}
