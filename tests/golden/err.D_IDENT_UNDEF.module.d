BEGIN { trace(xyzzy`foo); }
