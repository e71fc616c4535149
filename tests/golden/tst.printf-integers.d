/* options: -q */
/* %d asks the argument for its sign, %i takes it as signed, the rest as unsigned of its size. */
BEGIN
{
	printf("|%d|%i|%u|%x|%X|%o|\n", (char)-1, (char)-1, (char)-1, (char)-1, (char)-1, (char)-1);
	printf("|%d|%i|%u|\n", (unsigned char)255, (unsigned char)255, (unsigned char)255);
	printf("|%d|%u|%x|\n", -1, -1, -1);
	printf("|%d|%u|%x|\n", -1LL, -1LL, -1LL);
	printf("|%5d|%-5d|%05d|%+d|% d|%.3d|%8.3d|%-8.3d|\n", 42, 42, 42, 42, 42, 42, 42, 42);
	printf("|%#x|%#X|%#o|%#x|%08x|%#08x|\n", 255, 255, 8, 0, 255, 255);
	printf("|%*d|%-*d|%*d|%.*d|\n", 6, 7, 6, 7, -6, 7, 4, 7);
	printf("|%'d|%p|%?x|\n", 1234567, (void *)0x1234abcd, 0x1234);
	exit(0);
}
