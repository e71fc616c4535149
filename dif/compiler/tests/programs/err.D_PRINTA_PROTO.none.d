plain:::go
{
	printa("%d");
}
