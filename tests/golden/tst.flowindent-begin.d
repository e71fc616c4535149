/* options: -F */
/* Rows of probes that are neither entry nor return. */
BEGIN
{
	trace(1);
}
BEGIN
{
	exit(0);
}
