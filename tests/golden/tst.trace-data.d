/* options: -q */
/* trace() goes by size: integers, text, dumps. */
BEGIN
{
	trace((char)-1);
	trace(" ");
	trace((short)-1);
	trace(" ");
	trace(-1);
	trace(" ");
	trace(-1LL);
	trace("\n");
	trace("bell \a and\ttab");
	trace("\n");
	trace("\x01");
	exit(0);
}
