BEGIN { s = "x"; s = 5; }
