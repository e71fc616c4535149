struct s { int a; int b; };
BEGIN { @[*(struct s *)arg0] = count(); }
