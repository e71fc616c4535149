BEGIN { printm("abc", 3); }
