BEGIN { tracemem(arg0, 4, 4, 4); }
