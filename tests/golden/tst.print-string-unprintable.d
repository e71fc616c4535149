/* options: -q -x strsize=8 */
/* Text that does not all print is shown character by character, with zeroes behind its end. */
BEGIN
{
	x = strjoin(substr("help", 0, 3), "\n");
	print(x);
	exit(0);
}
