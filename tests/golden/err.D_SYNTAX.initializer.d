int g = 5;
BEGIN { exit(0); }
