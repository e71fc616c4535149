inline int X = pid;
BEGIN { X = 6; }
