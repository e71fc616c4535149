/* options: -q */
/* %Y and %T: nanoseconds since 1970. */
BEGIN
{
	printf("%Y\n%30Y|\n%T\n", 123456789000000000, (uint64_t)0, 1609459200000000000);
	exit(0);
}
