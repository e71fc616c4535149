BEGIN { printt(arg0, typeref(alloca(4), 1, "int", 4)); }
