int char x;
plain:::go { }
