plain:::go
{
	x = strlen(1);
}
