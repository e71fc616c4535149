BEGIN { @[pid, execname, stack(), stack(5), sym(caller), mod(caller), func(arg0), "x", arg0] = count(); }
