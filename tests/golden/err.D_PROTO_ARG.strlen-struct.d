struct s { int a; };
BEGIN { trace(strlen((struct s *)0)); }
