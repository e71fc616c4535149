BEGIN { @a = count(); trace(arg0 ? @a : 1); }
