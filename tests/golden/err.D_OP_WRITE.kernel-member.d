struct s { int a; };
BEGIN { arg0 = 3; }
