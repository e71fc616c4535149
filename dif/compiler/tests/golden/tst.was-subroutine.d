BEGIN { trace(getmajor(5)); }
