# "abc"
BEGIN { exit(0); }
