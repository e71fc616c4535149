BEGIN { bcopy(arg0, arg1, 4); }
