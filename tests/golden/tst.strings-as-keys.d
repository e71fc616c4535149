/* options: -q -x strsize=16 */
/* Keys: text is padded to fifty columns, what is none is dumped with all its room. */
BEGIN
{
	@["text"] = count();
	@[""] = count();
	@["\001"] = count();
	exit(0);
}
