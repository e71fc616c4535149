plain:::go
{
	trace(`gadget_count);
}
