/* options: -q */
/* this-> lasts for a firing, self-> for the thread, a global for good; unset ones are zero. */
int g;
self int t;
this int c;
BEGIN
{
	printf("%d %d %d\n", g, self->t, this->c);
	g = 1;
	self->t = 2;
	this->c = 3;
}
BEGIN
{
	printf("%d %d %d\n", g, self->t, this->c);
	self->t = 0;
}
BEGIN
{
	printf("%d\n", self->t);
	exit(0);
}
END
{
	printf("%d %d\n", g, self->t);
}
