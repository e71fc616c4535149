plain:::go
{
	++3;
}
