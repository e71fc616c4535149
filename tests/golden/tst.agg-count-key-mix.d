/* options: -q */
/* Keys of several types sort element by element where values are equal. */
BEGIN
{
	@["b", 1] = count();
	@["a", 2] = count();
	@["a", 1] = count();
	@["a", -1] = count();
	@["b", 1] = count();
	printa("%s %d %@d\n", @);
	exit(0);
}
