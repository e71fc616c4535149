/* options: -q */
/* trunc(@, n) keeps the largest, a negative n the smallest; of equals the larger key goes last. */
BEGIN
{
	@big[1] = sum(10); @big[2] = sum(20); @big[3] = sum(20); @big[4] = sum(30);
	@small[1] = sum(10); @small[2] = sum(20); @small[3] = sum(20); @small[4] = sum(30);
	trunc(@big, 2);
	trunc(@small, -2);
	printa("%d %@d\n", @big);
	printa("%d %@d\n", @small);
	exit(0);
}
