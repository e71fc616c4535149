struct point { int x; int y; unsigned int flag : 1; char name[8]; struct point *next; void *any; };
struct point *head;
plain:::go
{
	this->p = (struct point *)arg0; trace(this->p->x + this->p->next->y); trace(this->p->flag); trace(stringof(this->p->name)); trace(sizeof (struct point)); trace(offsetof(struct point, y)); trace(this->p->name[2]); @[this->p->next->next] = count();
}
