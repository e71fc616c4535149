struct s { int a[5000000000]; };
BEGIN { exit(0); }
