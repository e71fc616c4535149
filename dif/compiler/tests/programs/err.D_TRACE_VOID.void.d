plain:::go
{
	trace((void)0);
}
