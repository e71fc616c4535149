BEGIN { trace((int *)arg0 == 5); }
