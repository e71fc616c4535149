int a;
int a[int];
BEGIN { }
