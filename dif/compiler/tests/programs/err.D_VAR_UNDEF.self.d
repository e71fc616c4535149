plain:::go
{
	trace(self->nosuch);
}
