plain:::go
{
	a[1] = 1; a["s"] = 2;
}
