BEGIN /x == 0/ { trace(x++); }
