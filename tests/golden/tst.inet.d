/* options: -q */
/* Addresses in words. */
BEGIN
{
	this->a = (uint8_t *)alloca(16);
	this->a[0] = 127;
	this->a[3] = 1;
	printf("%s %s\n", inet_ntoa((in_addr_t *)this->a), inet_ntop(AF_INET, this->a));
	this->a[0] = 0;
	this->a[3] = 0;
	this->a[15] = 1;
	printf("%s\n", inet_ntop(AF_INET6, this->a));
	this->a[0] = 0x20;
	this->a[1] = 0x01;
	this->a[2] = 0x0d;
	this->a[3] = 0xb8;
	printf("%s\n", inet_ntop(AF_INET6, this->a));
	this->a[0] = 0;
	this->a[1] = 0;
	this->a[2] = 0;
	this->a[3] = 0;
	this->a[10] = 0xff;
	this->a[11] = 0xff;
	this->a[12] = 10;
	printf("%s\n", inet_ntoa6((struct in6_addr *)this->a));
	exit(0);
}
