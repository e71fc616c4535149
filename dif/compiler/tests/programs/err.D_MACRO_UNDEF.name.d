plain:::go
{
	x = $nosuch;
}
