/* A principal buffer that is read too seldom. */
#pragma D option quiet
#pragma D option bufsize=4k
#pragma D option switchrate=10s
tick-200us { printf("%s", "some text to fill the buffer with"); }
tick-200us /n++ == 200/ { exit(0); }
