BEGIN { do { trace(1); } }
