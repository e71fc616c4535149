self this int x;
plain:::go { }
