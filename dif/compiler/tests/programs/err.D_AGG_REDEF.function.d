plain:::go
{
	@a = count(); @a = sum(1);
}
