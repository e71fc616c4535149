/* A record that is longer than the buffer is dropped, whenever it is made. */
#pragma D option quiet
#pragma D option bufsize=64
BEGIN { tracemem(alloca(100), 100); }
BEGIN { printf("short\n"); exit(0); }
