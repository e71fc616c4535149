inline int x = nosuch;
BEGIN { }
