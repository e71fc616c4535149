BEGIN { s = "a"; s = NULL; s = 0; trace(s == NULL); trace(strtok(NULL, ",")); }
