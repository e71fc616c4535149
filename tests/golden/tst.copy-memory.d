/* options: -q */
/* alloca(), bcopy(), memstr() and pointers to their memory. */
BEGIN
{
	this->p = (char *)alloca(16);
	printf("%d\n", this->p[15]);
	bcopy("hello", this->p, 6);
	printf("%s %c\n", stringof(this->p), this->p[1]);
	this->p[0] = 'J';
	*(this->p + 4) = 'y';
	printf("%s\n", stringof(this->p));
	this->q = (int *)alloca(8);
	*this->q = -5;
	this->q[1] = 7;
	printf("%d %d\n", this->q[0], *(this->q + 1));
	bcopy("a", this->p, 2);
	bcopy("b", this->p + 2, 2);
	printf("%s\n", memstr(this->p, '+', 4));
	exit(0);
}
