plain:::go
{
	x = $1;
}
