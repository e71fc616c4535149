/* A principal buffer that is full before anybody looks at it. */
#pragma D option quiet
#pragma D option bufsize=4k
#pragma D option switchrate=10s
tick-200us { tracemem(alloca(1000), 1000); }
tick-200us /n++ == 200/ { exit(0); }
