struct s { int x : 40; };
plain:::go { }
