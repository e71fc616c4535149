int a[pid];
plain:::go { }
