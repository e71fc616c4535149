/* options: -q -x bufpolicy=fill -x bufsize=200 */
/* 200 bytes hold eight numbers of 24 bytes, header included; a full buffer is no drop. */
tick-1ms { printf("%d\n", ++i); }
