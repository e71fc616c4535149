int x[pid];
BEGIN { }
