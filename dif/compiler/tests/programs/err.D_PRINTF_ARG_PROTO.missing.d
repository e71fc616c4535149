plain:::go
{
	printf("%d");
}
