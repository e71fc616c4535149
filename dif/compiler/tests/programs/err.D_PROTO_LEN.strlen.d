plain:::go
{
	x = strlen();
}
