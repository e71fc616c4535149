plain:::go
{
	exit("x");
}
