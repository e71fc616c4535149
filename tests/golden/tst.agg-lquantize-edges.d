/* options: -q */
/* The lowest bucket holds the base itself, the limit belongs to what is above. */
BEGIN
{
	@["base"] = lquantize(0, 0, 3);
	@["below"] = lquantize(-1, 0, 3);
	@["last"] = lquantize(2, 0, 3);
	@["limit"] = lquantize(3, 0, 3);
	@["uneven"] = lquantize(8, 0, 3);
	printa("%s%@d", @);
	exit(0);
}
