BEGIN { printm(arg0, memref(alloca(4), 4)); }
