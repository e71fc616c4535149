plain:::go
{
	x = ~"a";
}
