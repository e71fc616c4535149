BEGIN { x = "a"; x = 5; }
