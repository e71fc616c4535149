BEGIN { @[ustack()] = count(); }
