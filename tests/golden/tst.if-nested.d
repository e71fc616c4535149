/* options: -q */
/* Conditions nest, and what one branch assigns the rest of the clause sees. */
BEGIN
{
	x = 1;
	if (x == 1) {
		x = 2;
		if (x == 2) {
			printf("inner\n");
			x = 3;
		} else {
			printf("never\n");
		}
		printf("%d\n", x);
	}
	if (!x)
		printf("never\n");
	else
		printf("else %d\n", x);
	exit(0);
}
