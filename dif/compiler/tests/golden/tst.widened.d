BEGIN { @[arg0] = count(); @[pid] = count(); }
