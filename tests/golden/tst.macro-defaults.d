/* options: -q -x defaultargs */
/* args: used unused */
/* With defaultargs what is missing is 0 or empty, and nothing is superfluous. */
BEGIN { printf("%s %d [%s]\n", $$1, $7, $$8); exit(0); }
