BEGIN { copyout(NULL, 0, 1); }
