plain:::go
{
	this->a[1] = 1;
}
