/* More keys than an aggregation buffer holds. */
#pragma D option quiet
#pragma D option aggsize=4k
#pragma D option aggrate=10s
tick-200us { @[n++] = count(); }
tick-200us /n == 400/ { exit(0); }
