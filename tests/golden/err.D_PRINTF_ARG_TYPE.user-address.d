/* Without -c or -p a number is no address of a process. */
BEGIN { printf("%A", 1); }
