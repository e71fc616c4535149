BEGIN { @a = count(); }
END { clear(@a); speculate(1); }
