plain:::go
{
	speculate(1); @a = count();
}
