/* options: -q */
/* Without -x nspec there is one speculation; the second id is 0. */
BEGIN
{
	printf("%d %d\n", speculation(), speculation());
	exit(0);
}
