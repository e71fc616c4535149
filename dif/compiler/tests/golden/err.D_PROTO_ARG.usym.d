BEGIN { usym(execname); }
