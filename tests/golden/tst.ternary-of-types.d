/* options: -q */
/* Both branches are brought to one type: integers by C's rules, texts to a string, pointers of a kind. */
BEGIN
{
	x = 1;
	printf("%d\n", sizeof (x ? (char)1 : (long)2));
	printf("%d\n", x ? -1 : 1u);
	printf("%s\n", x ? "text" : execname);
	printf("%d\n", (x ? (int *)8 : (int *)16) == (int *)8);
	exit(0);
}
