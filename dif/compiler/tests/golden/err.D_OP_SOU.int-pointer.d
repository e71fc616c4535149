BEGIN { trace(((int *)arg0)->a); }
