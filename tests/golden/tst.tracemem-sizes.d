/* options: -q */
/* tracemem() dumps as many bytes as its third argument says, at most the second. */
BEGIN
{
	this->p = alloca(20);
	bcopy("0123456789abcdef\n\t\377", this->p, 20);
	tracemem(this->p, 20);
	tracemem(this->p, 4);
	tracemem(this->p, 10, 3);
	tracemem(this->p, 4, 10);
	exit(0);
}
