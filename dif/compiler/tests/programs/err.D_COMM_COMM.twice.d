plain:::go
{
	commit(1); commit(1);
}
