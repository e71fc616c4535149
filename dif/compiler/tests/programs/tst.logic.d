plain:::go
/arg0 && (arg1 || !arg2) ^^ arg3 == 4/
{
	x = arg0 < arg1 ? 1 : arg0 > 3 ? 2 : 3;
}
