/* options: -q */
/* Sizes letters are known and mean nothing; each conversion by its argument's own width. */
BEGIN
{
	printf("[%hd][%ld][%lld][%hx][%lx][%llx]\n", (short)-2, (long)-3, (long long)-4, (short)-2, (long)-3, (long long)-4);
	printf("[%c][%c][%c]\n", (char)65, (short)66, 67);
	printf("[%5c][%-5c][%05d][%+5d][% 5d][%-+5d]\n", 'x', 'y', -42, 42, 42, 42);
	printf("[%.0d][%.0x][%5.3d][%-6.4x][%06.3d]\n", 0, 0, 7, 255, 5);
	printf("[%#o][%#x][%#X][%#010x]\n", 0, 0, 255, 255);
	printf("[%s][%.0s][%.10s][%5.1s]\n", "abc", "abc", "abc", "abc");
	printf("%%[%d%%]\n", 50);
	printf("[%p][%20p][%-20p]\n", (void *)0, (void *)0xabc, (void *)0xabc);
	printf("[%?d][%?x]\n", 1, 255);
	printf("[%x][%o][%u]\n", (char)-1, (short)-1, -1LL);
	exit(0);
}
