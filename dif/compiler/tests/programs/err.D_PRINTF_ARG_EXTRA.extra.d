plain:::go
{
	printf("%d", 1, 2);
}
