/* options: -q */
/* trunc() without a number empties; with more than there is, it changes nothing. */
BEGIN
{
	@a[1] = count();
	@a[2] = count();
	@b[1] = count();
	trunc(@a);
	trunc(@b, 100);
	printa("a %d %@d\n", @a);
	printa("b %d %@d\n", @b);
	exit(0);
}
