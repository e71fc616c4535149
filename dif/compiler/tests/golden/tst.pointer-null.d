BEGIN { trace((int *)arg0 == NULL); trace((int *)arg0 != 0); trace((void *)arg0 == (int *)arg1); }
