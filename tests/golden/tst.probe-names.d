/* The names of the probe that fires. */
#pragma D option quiet
BEGIN { printf("%s:%s:%s:%s %s\n", probeprov, probemod, probefunc, probename, vmname); exit(0); }
