plain:::go
{
	(x->y)(1);
}
