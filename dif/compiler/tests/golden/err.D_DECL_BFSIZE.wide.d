struct s { int a:40; };
BEGIN { }
