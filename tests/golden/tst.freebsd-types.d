/* options: -q */
/* Types of FreeBSD's headers are known on every machine. */
in_addr_t address;
BEGIN
{
	address = 0x0100007f;
	printf("%d %d %d %d\n", sizeof (in_addr_t), sizeof (in_port_t), sizeof (time_t), sizeof (lwpid_t));
	printf("%d %d %d %d\n", sizeof (u_int8_t), sizeof (u_int64_t), sizeof (u_long), sizeof (uchar_t));
	printf("%d %d %d\n", sizeof (size_t), sizeof (pid_t), sizeof (hrtime_t));
	printf("%x %d\n", address, AF_INET);
	exit(0);
}
