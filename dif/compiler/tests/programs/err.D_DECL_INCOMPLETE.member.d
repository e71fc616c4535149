struct s { struct t x; };
plain:::go { }
