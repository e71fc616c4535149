auto int x;
BEGIN { }
