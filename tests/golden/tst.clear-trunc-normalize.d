/* clear() keeps keys at 0; trunc(@, -n) keeps the smallest; normalize() lasts until undone. */
#pragma D option quiet
BEGIN
{
	@n["a"] = sum(100);
	@n["b"] = sum(250);
	normalize(@n, 10);
	printa("normalized %s %@d\n", @n);
	denormalize(@n);
	printa("plain %s %@d\n", @n);
	@t[1] = sum(1);
	@t[2] = sum(2);
	@t[3] = sum(3);
	trunc(@t, -2);
	printa("smallest %d %@d\n", @t);
	trunc(@t, 1);
	printa("largest %d %@d\n", @t);
	@c["key"] = avg(9);
	clear(@c);
	printa("cleared %s %@d\n", @c);
	exit(0);
}
