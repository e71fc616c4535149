plain:::go
{
	x = *pid;
}
