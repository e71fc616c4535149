BEGIN /x++/ { trace(x); }
