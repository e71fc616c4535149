BEGIN { printf("%s", stack()); }
