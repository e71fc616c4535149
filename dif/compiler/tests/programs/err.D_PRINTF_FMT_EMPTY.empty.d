plain:::go
{
	printf("");
}
