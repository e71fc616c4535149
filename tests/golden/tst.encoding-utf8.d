/* options: -q */
/* Bars to an eighth of a column. */
#pragma D option encoding=utf8
BEGIN
{
	@ = lquantize(0, 0, 3);
	@ = lquantize(1, 0, 3);
	@ = lquantize(1, 0, 3);
	exit(0);
}
