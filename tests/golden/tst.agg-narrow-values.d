/* options: -q */
/* Narrow values keep their sign; averages are cut towards zero. */
BEGIN
{
	@s = sum((char)-1);
	@t = sum((unsigned char)255);
	@m = max((int)-1);
	@n = min(5); @n = min(-5);
	@a = avg(-7); @a = avg(-8);
	exit(0);
}
