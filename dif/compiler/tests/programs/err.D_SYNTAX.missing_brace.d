plain:::go
{
	trace(1);
