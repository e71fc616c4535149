/* options: -q -x bufpolicy=ring -x bufsize=1k */
/* A ring keeps the newest records and is printed at the end. */
tick-1ms { i++; printf("%s", i == 99 ? "99\n" : ""); }
tick-1ms /i == 99/ { exit(0); }
