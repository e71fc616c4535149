/* options: -q */
/* status: 255 */
/* A status has eight bits. */
BEGIN
{
	exit(-1);
}
