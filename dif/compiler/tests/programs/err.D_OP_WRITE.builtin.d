plain:::go
{
	pid = 3;
}
