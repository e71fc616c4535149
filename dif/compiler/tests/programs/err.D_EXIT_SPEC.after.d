plain:::go
{
	speculate(1); exit(0);
}
