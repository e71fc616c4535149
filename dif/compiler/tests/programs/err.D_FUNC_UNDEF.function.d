plain:::go
{
	nosuch(1);
}
