BEGIN { trace(((int *)0)->b); }
