static int x;
plain:::go { }
