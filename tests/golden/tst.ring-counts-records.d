/* options: -q -x bufpolicy=ring -x bufsize=200 */
/* 200 bytes hold seven numbers of 24 bytes, header included, and the record of exit(), of 16. */
tick-1ms { printf("%d\n", ++i); }
tick-1ms /i == 40/ { exit(0); }
