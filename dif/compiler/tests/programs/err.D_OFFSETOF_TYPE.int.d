plain:::go
{
	x = offsetof(int, y);
}
