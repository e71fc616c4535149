plain:::go
{
	printa(pid);
}
