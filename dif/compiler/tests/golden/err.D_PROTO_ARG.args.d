proc:::exec { trace(args[pid]); }
