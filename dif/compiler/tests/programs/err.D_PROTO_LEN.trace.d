plain:::go
{
	trace();
}
