BEGIN { trace(pid == 0 ? "swapper" : execname); x = pid ? arg0 : 0; p = pid ? (int *)arg0 : NULL; }
