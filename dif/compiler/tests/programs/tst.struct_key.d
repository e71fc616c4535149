struct point { int x; int y; unsigned int flag : 1; char name[8]; struct point *next; void *any; };
plain:::go
{
	@[*(struct point *)arg0] = count();
}
