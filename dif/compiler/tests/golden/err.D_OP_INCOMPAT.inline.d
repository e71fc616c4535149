inline int x = "a";
BEGIN { }
