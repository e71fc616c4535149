plain:::go
{
	speculate(1); system("true");
}
