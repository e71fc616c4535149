/* A small buffer is read at switchrate, not before: what comes meanwhile is lost when it is full. */
#pragma D option quiet
#pragma D option bufsize=1k
#pragma D option switchrate=10s
tick-1ms { printf("%d\n", ++i); }
tick-1ms /i == 100/ { exit(0); }
