BEGIN { @a = min(1); @a = max(1); }
