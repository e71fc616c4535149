BEGIN /pid/ { if (uid == 0) { trace("root"); } else if (uid < 1000) { @["system"] = count(); } else { exit(0); } trace(1); }
