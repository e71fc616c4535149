/* options: -q -x bufpolicy=fill -x bufsize=64 */
/* The room for END is set aside: 20 of 64 bytes, so that one number of 24 is left. */
tick-1ms { printf("%d\n", ++i); }
END { printf("end\n"); }
