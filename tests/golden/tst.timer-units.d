/* options: -q */
/* Every unit of timed probes has its long and its short name. */
tick-1sec, tick-1s, tick-1min, tick-1m, tick-1hour, tick-1h, tick-1day, tick-1d, tick-1hz, tick-100 { }
tick-1msec, tick-500us, tick-500usec, tick-300000ns, tick-300000nsec, tick-1001hz { }
BEGIN { exit(0); }
