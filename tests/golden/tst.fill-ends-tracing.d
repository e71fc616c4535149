/* options: -q */
/* bufpolicy=fill: the first full buffer ends tracing; END has room nonetheless. */
#pragma D option bufpolicy=fill
#pragma D option bufsize=4k
tick-1ms
{
	n++;
	trace(n);
}
END
{
	printf(" ended\n");
}
