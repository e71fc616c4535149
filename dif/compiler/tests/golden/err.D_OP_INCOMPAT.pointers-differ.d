BEGIN { trace((int *)arg0 == (char *)arg1); }
