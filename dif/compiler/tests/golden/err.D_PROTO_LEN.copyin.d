BEGIN { trace(copyin(1)); }
