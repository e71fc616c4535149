/* options: -q */
/* status: 42 */
/* exit()'s argument is dtrace's status. */
BEGIN
{
	exit(42);
}
