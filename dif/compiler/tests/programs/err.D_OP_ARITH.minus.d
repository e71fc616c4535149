plain:::go
{
	x = -"a";
}
