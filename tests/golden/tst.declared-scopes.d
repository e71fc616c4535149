/* options: -q */
/* Declarations of all three scopes cut what is stored. */
unsigned char g;
self short t;
this char c;
BEGIN
{
	g = 300; self->t = 40000; this->c = 200;
	printf("%d %d %d\n", g, self->t, this->c);
	g = -1; self->t = -1; this->c = -1;
	printf("%d %d %d\n", g, self->t, this->c);
	exit(0);
}
