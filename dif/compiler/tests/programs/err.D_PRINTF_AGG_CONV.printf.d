plain:::go
{
	printf("%@d", 1);
}
