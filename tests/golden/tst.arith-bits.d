/* options: -q */
/* &, |, ^, ~ and what they bind. */
BEGIN
{
	this->a = 0xf0;
	this->b = 0x3c;
	printf("%x %x %x\n", this->a & this->b, this->a | this->b, this->a ^ this->b);
	printf("%x\n", ~this->a);
	printf("%x\n", ~(uint8_t)0xf0);
	printf("%d\n", 1 | 2 ^ 3 & 5);
	printf("%d\n", (this->a & this->b) == 0x30);
	printf("%d\n", 6 & 3 << 1);
	exit(0);
}
