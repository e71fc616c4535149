inline int X = 5;
BEGIN { X = 6; }
