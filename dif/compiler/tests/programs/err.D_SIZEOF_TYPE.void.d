plain:::go
{
	x = sizeof (void);
}
