plain:::go
{
	trace(this->nosuch);
}
