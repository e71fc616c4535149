BEGIN { tracemem(execname, 5); }
