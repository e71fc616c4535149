/* options: -q */
/* xlate: of a pointer and of a structure, members of strings and numbers. */
struct a { int x; char n[8]; };
struct b { int y; string s; int z; };
translator struct b <struct a *p> { y = p->x + 1; s = stringof(p->n); z = 7; };
BEGIN
{
	this->p = (struct a *)alloca(sizeof (struct a));
	this->p->x = 41;
	bcopy("nm", this->p->n, 3);
	printf("%d %s %d\n", xlate <struct b *> (this->p)->y, xlate <struct b> (this->p).s, xlate <struct b *> (this->p)->z);
	exit(0);
}
