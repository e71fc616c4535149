/* options: -q */
/* What is no escape of C keeps its backslash; \x takes all the digits there are. */
BEGIN
{
	printf("\q|\'|\?|\x4142|\101|\"\\\n");
	exit(0);
}
