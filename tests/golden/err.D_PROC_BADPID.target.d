/* Without -c or -p $target is 0: no process has that number. */
pid$target:::entry { exit(0); }
