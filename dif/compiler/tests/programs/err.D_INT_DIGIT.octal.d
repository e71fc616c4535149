plain:::go
{
	x = 089;
}
