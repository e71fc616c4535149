BEGIN { copyin((int *)arg0, 4); }
