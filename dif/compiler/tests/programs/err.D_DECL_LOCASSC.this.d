this int a[int];
plain:::go { }
