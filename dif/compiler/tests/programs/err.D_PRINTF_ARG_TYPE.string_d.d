plain:::go
{
	printf("%d", execname);
}
