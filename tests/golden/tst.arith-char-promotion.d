/* options: -q */
/* Two char operands make a char: the result is cut when it is recorded. */
BEGIN
{
	this->a = (char)100;
	this->b = (char)100;
	printf("%d\n", this->a + this->b);
	printf("%d\n", this->a + 100);
	this->u = (unsigned char)200;
	printf("%d\n", this->u + this->u);
	printf("%d\n", this->u + 1);
	printf("%d\n", this->u + this->a);
	this->s = (short)30000;
	printf("%d\n", this->s + this->s);
	printf("%d\n", this->s * 2);
	printf("%d\n", (unsigned short)1 - (unsigned short)2);
	exit(0);
}
