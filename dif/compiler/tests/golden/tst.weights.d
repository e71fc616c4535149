BEGIN { @q = quantize(pid, 2); @l = lquantize(pid, 0, 100, 10, -1); @ll = llquantize(pid, 10, 0, 6, 20, arg0); }
