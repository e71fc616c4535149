plain:::go
{
	printf("%q", 1);
}
