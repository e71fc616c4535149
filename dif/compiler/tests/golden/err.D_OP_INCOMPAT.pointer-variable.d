BEGIN { x = 5; trace((int *)arg0 == x); }
