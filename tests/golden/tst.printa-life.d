/* options: -q */
/* normalize, denormalize, trunc to one, clear, trunc to nothing: each printa() sees what was then. */
BEGIN
{
	@a[1] = sum(10); @a[2] = sum(20);
	normalize(@a, 10); printa("%d %@d\n", @a);
	denormalize(@a); printa("%d %@d\n", @a);
	trunc(@a, 1); printa("%d %@d\n", @a);
	clear(@a); printa("%d %@d\n", @a);
	trunc(@a); printa("%d %@d\n", @a);
	printf("end\n");
	exit(0);
}
