BEGIN { tracemem(arg0, "a"); }
