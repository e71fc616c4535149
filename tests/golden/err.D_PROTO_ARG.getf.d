BEGIN { trace(getf("0")->f_flags); }
