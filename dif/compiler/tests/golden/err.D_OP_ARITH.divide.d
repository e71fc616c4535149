BEGIN { x = (int *)arg0; x /= 2; }
