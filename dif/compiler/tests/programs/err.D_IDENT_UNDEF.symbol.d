plain:::go
{
	trace(&`nosuch);
}
