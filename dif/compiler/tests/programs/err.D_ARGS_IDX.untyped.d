plain:::go
{
	trace(args[0]);
}
