plain:::go
{
	printf("%s", pid);
}
