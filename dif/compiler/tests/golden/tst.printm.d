BEGIN { printm(4, memref(alloca(4), 4)); }
