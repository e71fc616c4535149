BEGIN { @[pid, "a"] = count(); @[tid, execname] = count(); m[1, "a"] = 1; m[pid, execname] = 2; }
