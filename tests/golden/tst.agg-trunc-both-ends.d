/* options: -q */
/* trunc(@, n) keeps the n greatest, trunc(@, -n) the n least. */
BEGIN
{
	@a[1] = max(5); @a[2] = max(9); @a[3] = max(1);
	@b[1] = max(5); @b[2] = max(9); @b[3] = max(1);
	trunc(@a, 2);
	printa("%d:%@d ", @a);
	trunc(@b, -2);
	printa("%d:%@d ", @b);
	printf("\n");
	exit(0);
}
