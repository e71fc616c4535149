/* printf: sign and size come from the argument, h and l mean nothing, %p has no 0x. */
#pragma D option quiet
BEGIN
{
	printf("%d %d %u\n", -1, (unsigned int)-1, -1);
	printf("%x %X %#x %o\n", 255, 255, 255, 8);
	printf("%5d|%-5d|%05d|%+d\n", 42, 42, 42, 42);
	printf("%hd %lld %hhx\n", 100000, 7, 0x12345);
	printf("%s|%10s|%-10s|%.3s\n", "abcdef", "abc", "abc", "abcdef");
	printf("%c%c%c %%\n", 'a', 'b', 'c');
	printf("%*d|%-*d\n", 6, 1, 6, 1);
	printf("%p\n", (void *)0xdeadbeef);
	printf("%Y\n", (uint64_t)86400000000000);
	exit(0);
}
