translated:::go
{
	trace(args[0]->g_x);
}
