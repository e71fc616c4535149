BEGIN { printf("%.1.2d", 1); }
