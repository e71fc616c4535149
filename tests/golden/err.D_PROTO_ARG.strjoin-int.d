BEGIN { trace(strjoin("a", 5)); }
