plain:::go
{
	stack(pid);
}
