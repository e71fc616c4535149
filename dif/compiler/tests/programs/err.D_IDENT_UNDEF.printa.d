plain:::go
{
	printa(@nosuch);
}
