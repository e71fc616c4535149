/* options: -q -x strsize=16 */
/* rawbytes: text is dumped too. */
#pragma D option rawbytes
BEGIN
{
	trace("hello, world");
	exit(0);
}
