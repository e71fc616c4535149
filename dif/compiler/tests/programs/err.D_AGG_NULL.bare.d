plain:::go
{
	@a = count(); @a;
}
