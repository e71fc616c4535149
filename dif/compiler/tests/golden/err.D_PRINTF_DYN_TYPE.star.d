BEGIN { printf("%*d", "x", 5); }
