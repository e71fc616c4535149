int x[];
BEGIN { }
