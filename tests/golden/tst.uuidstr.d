/* options: -q */
/* A struct uuid: three numbers of the machine's byte order, then bytes. */
BEGIN
{
	this->u = (uint32_t *)alloca(16);
	this->u[0] = 0x00112233;
	this->u[1] = 0x66774455;
	this->u[2] = htonl(0x8899aabb);
	this->u[3] = htonl(0xccddeeff);
	printf("%s\n", uuidstr(this->u));
	printf("%s\n", uuidstr(alloca(16)));
	exit(0);
}
