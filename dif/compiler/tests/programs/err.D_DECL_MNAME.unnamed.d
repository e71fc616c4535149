struct s { int; };
plain:::go { }
