BEGIN { tracemem(arg0, 64, arg1); }
