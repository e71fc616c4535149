BEGIN / { trace(1); }
