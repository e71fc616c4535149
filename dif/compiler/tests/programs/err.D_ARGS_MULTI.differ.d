differ:::go
{
	trace(args[0]);
}
