BEGIN { speculate(execname); }
