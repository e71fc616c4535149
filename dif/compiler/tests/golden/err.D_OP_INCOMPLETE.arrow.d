BEGIN { trace(((struct nothing *)arg0)->x); }
