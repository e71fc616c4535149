plain:::go
{
	printf("%*d");
}
