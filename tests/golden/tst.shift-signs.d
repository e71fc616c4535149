/* options: -q */
/* A shift to the right keeps the sign of what is signed, and fills with zeroes what is not;
   constants are shifted as the script is read, as 64 bits without sign. */
BEGIN
{
	this->m = -7;
	printf("%d %d\n", this->m >> 1, this->m >> 63);
	printf("%d %d\n", -7 >> 1, -1 >> 63);
	printf("%d\n", ((unsigned int)-7) >> 1);
	printf("%d\n", ((unsigned long)-7) >> 1);
	printf("%d %d %d\n", 1 << 31, 1 << 32, 1L << 32);
	exit(0);
}
