/* options: -q */
/* A cast cuts and extends by the sign of its own type. */
BEGIN
{
	this->v = 0x1234567890abcdef;
	printf("%x %x %x %x\n", (char)this->v, (short)this->v, (int)this->v, (long)this->v);
	printf("%d %d %d\n", (char)this->v, (short)this->v, (int)this->v);
	printf("%u %u %u\n", (uint8_t)this->v, (uint16_t)this->v, (uint32_t)this->v);
	printf("%d\n", (int64_t)(int)0xffffffff);
	printf("%d\n", (int64_t)(unsigned int)0xffffffff);
	this->c = (char)-1;
	printf("%d %d\n", (int)this->c, (unsigned char)this->c);
	printf("%d\n", (int)'a' + 1);
	exit(0);
}
