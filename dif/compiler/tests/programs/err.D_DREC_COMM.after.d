plain:::go
{
	commit(1); trace(1);
}
