plain:::go
{
	printf("%s", (char *)arg0);
}
