/* A principal buffer that is full before anybody looks at it. */
#pragma D option quiet
#pragma D option bufsize=4k
#pragma D option switchrate=10s
tick-200us { printf("%s%s%s%s", "some", "text to", "fill the", "buffer with"); }
tick-200us /n++ == 200/ { exit(0); }
