/* There is always room for one dynamic variable, however little is asked for. */
#pragma D option quiet
#pragma D option dynvarsize=1
BEGIN { a[1] = 1; a[2] = 2; printf("%d %d\n", a[1], a[2]); exit(0); }
