plain:::go
{
	x = "open;
}
