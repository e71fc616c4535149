/* options: -q */
/* An enumeration is an int that print() shows by its name. */
enum color { RED, GREEN = 5, BLUE };
BEGIN
{
	printf("%d %d %d\n", RED, GREEN, BLUE);
	x = (enum color)6;
	printf("%d %d\n", x == BLUE, sizeof (x));
	print(x);
	exit(0);
}
