plain:::go
{
	x = '';
}
