void x;
plain:::go { }
