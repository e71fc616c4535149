/* options: -q */
/* Division goes to zero, and a remainder has the dividend's sign; unsigned if either side is. */
BEGIN
{
	this->m = -7;
	this->n = 2;
	printf("%d %d\n", this->m / this->n, this->m % this->n);
	printf("%d %d\n", 7 / -2, 7 % -2);
	printf("%d %d\n", -8 / -3, -8 % -3);
	this->u = (uint64_t)-7;
	printf("%d\n", this->u / 2);
	printf("%d\n", this->u % 10);
	printf("%u\n", (unsigned int)-7 / 2);
	exit(0);
}
