struct point { int x; int y; };
typed:::go
/args[0] > 3/
{
	trace(args[1]->y); trace(args[0] + arg0);
}
