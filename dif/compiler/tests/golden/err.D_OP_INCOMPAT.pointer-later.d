BEGIN { x = 0; x = (int *)arg0; }
