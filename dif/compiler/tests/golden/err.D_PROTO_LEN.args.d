typed:::go { trace(args[0, 1]); }
