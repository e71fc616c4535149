struct s { int c:-1; };
BEGIN { exit(0); }
