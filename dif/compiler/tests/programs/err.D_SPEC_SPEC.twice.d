plain:::go
{
	speculate(1); speculate(1);
}
