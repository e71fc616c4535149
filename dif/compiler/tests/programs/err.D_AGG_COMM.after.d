plain:::go
{
	commit(1); @a = count();
}
