plain:::go
{
	y = &3;
}
