plain:::go
{
	trace(1); commit(1);
}
