plain:::go
{
	trace(1); speculate(1);
}
