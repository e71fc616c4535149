/* options: -q */
/* A char array is a string to printf(), up to its zero or its end. */
struct s { char a[4]; char b[8]; };
BEGIN
{
	this->s = (struct s *)alloca(sizeof (struct s));
	bcopy("wxyz", this->s->a, 4);
	bcopy("hello", this->s->b, 6);
	printf("[%s][%s][%S][%6s][%.2s]\n", this->s->a, this->s->b, this->s->a, this->s->a, this->s->b);
	printf("%d %d\n", sizeof (this->s->a), strlen(this->s->b));
	trace(stringof(this->s->b));
	exit(0);
}
