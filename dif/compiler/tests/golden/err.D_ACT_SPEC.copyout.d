BEGIN { speculate(1); copyout(alloca(4), arg0, 4); }
