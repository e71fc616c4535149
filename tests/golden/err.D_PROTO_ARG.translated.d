BEGIN { trace(strlen(curpsinfo)); }
