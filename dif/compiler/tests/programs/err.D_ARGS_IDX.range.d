typed:::go
{
	trace(args[9]);
}
