struct s { int x : pid; };
plain:::go { }
