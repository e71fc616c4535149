/* options: -q */
/* %@ takes the bases, widths and flags of integers. */
BEGIN
{
	@ = sum(255);
	printa("%@x %@o %@X|%@8d|%@-8d|%@08d|\n", @);
	exit(0);
}
