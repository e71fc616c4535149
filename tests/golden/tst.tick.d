/* tick-N fires at its rate until exit(). */
#pragma D option quiet
tick-10ms { printf("%d\n", ++n); }
tick-10ms /n == 3/ { exit(0); }
