BEGIN { trace(!curpsinfo); }
