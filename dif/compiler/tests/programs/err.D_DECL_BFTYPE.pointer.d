struct s { char *x : 4; };
plain:::go { }
