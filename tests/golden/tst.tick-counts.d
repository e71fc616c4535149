/* options: -q */
/* tick fires again and again, until exit(). */
tick-1ms { n++; }
tick-1ms /n == 5/ { printf("%d\n", n); exit(0); }
