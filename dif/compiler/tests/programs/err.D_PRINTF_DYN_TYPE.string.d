plain:::go
{
	printf("%*d", execname, 1);
}
