inline int strlen = 1;
BEGIN { }
