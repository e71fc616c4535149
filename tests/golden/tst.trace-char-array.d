/* Arrays of 1, 2, 4 and 8 bytes are traced as integers of that size, others as text or bytes. */
struct s { char a[2]; char b[8]; char c[5]; };
BEGIN
{
	this->s = (struct s *)alloca(sizeof (struct s));
	bcopy("12", this->s->a, 2);
	bcopy("1", this->s->b, 2);
	bcopy("text", this->s->c, 5);
	trace(this->s->a);
	trace(this->s->b);
	trace(this->s->c);
	exit(0);
}
