plain:::go
{
	trace(nosuch);
}
