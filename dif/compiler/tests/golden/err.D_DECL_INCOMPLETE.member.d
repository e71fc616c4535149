struct s { struct nothing a; };
BEGIN { }
