plain:::go
{
	commit(1); speculate(1);
}
