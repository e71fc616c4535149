/* options: -q */
/* The members of a union share their bytes. */
union u { int i; char c[4]; unsigned short h[2]; };
BEGIN
{
	this->u = (union u *)alloca(sizeof (union u));
	this->u->i = 0x41424344;
	printf("%c%c %x %x\n", this->u->c[0], this->u->c[3], this->u->h[0], this->u->h[1]);
	this->u->c[1] = 'x';
	printf("%x\n", this->u->i);
	exit(0);
}
