BEGIN { printt(4, alloca(4)); }
