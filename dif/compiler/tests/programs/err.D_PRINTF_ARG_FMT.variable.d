plain:::go
{
	printf(execname);
}
