BEGIN { @b[exit(0)] = count(); }
