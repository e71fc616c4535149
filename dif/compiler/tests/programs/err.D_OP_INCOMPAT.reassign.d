plain:::go
{
	x = 1; x = "a";
}
