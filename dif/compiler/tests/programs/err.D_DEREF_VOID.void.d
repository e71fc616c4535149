plain:::go
{
	x = *(void *)arg0;
}
