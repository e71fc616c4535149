proc:::exec { trace(args[1]); }
