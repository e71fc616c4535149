plain:::go
{
	trace(((struct nosuch *)arg0)->x);
}
