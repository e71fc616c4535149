self x;
plain:::go { }
