/* options: -q */
/* With droptags a drop's message starts with its tag. */
#pragma D option droptags
BEGIN
{
	printf("%d %d\n", speculation() != 0, speculation());
	exit(0);
}
