BEGIN { @a[pid] = count(); @a[arg0] = count(); }
