/* options: -q */
/* One clause for several probes, by name and by number. */
BEGIN, END, dtrace:::ERROR { printf("%s\n", probename); }
BEGIN { exit(0); }
