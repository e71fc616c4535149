/* options: -q */
/* Steps and differences of pointers count elements. */
BEGIN
{
	this->p = (int *)alloca(16);
	*this->p = 7; this->p[1] = 8; *(this->p + 2) = 9;
	this->q = this->p + 2;
	printf("%d %d %d\n", *this->p, this->p[1], this->q[0]);
	printf("%d %d\n", this->q - this->p, this->q > this->p);
	printf("%d %d\n", *this->q--, *this->q);
	printf("%d\n", (int)((uintptr_t)this->q - (uintptr_t)this->p));
	exit(0);
}
