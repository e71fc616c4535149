/* options: -q */
/* ^^ is the exclusive or of truths, below && and above ||. */
BEGIN
{
	printf("%d %d %d %d\n", 1 ^^ 1, 1 ^^ 0, 0 ^^ 7, 0 ^^ 0);
	printf("%d %d\n", 5 ^^ 3, 1 || 1 ^^ 1);
	printf("%d %d\n", !5, !!5);
	exit(0);
}
