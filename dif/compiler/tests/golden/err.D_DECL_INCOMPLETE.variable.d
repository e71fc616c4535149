struct nosuch x;
BEGIN { }
