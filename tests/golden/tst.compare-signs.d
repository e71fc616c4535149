/* options: -q */
/* A comparison is unsigned if the type of more bits is, or the unsigned one of two alike. */
BEGIN
{
	this->m = -1;
	this->u = 1U;
	this->l = -1LL;
	printf("%d %d\n", this->m < this->u, this->l < this->u);
	printf("%d %d\n", this->m == (unsigned int)-1, this->l == (unsigned int)-1);
	printf("%d %d %d\n", -1 < 0, 1 >= 1, 2 != 2);
	this->c = (char)-1;
	this->uc = (unsigned char)255;
	printf("%d\n", this->c < 0);
	printf("%d\n", this->uc > 0);
	exit(0);
}
