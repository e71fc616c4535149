int x;
string x;
plain:::go { }
