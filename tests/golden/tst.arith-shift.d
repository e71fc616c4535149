/* options: -q */
/* A shift has its left operand's type: >> of a signed value keeps the sign. */
BEGIN
{
	this->m = -16;
	printf("%d %d\n", this->m >> 2, this->m << 2);
	this->u = (unsigned int)0xf0000000;
	printf("%x %x\n", this->u >> 28, this->u << 4);
	this->l = 1LL;
	printf("%x %x\n", this->l << 40, (this->l << 63) >> 63);
	printf("%x\n", (uint64_t)(this->l << 63) >> 63);
	this->c = (char)-2;
	printf("%d\n", this->c >> 1);
	exit(0);
}
