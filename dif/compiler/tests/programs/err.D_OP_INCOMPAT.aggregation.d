plain:::go
{
	@a = count(); x = @a;
}
