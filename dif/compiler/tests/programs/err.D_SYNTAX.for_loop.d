plain:::go
{
	for (;;) ;
}
