/* options: -q */
/* progenyof() in BEGIN: dtrace is its own progeny and its parent's, and nobody else's. */
BEGIN
{
	printf("%d %d %d\n", progenyof(pid), progenyof(ppid), progenyof(-1));
	exit(0);
}
