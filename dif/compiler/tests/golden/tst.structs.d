struct s { char c; int i; short h; struct { long l; }; union { int u; char v; } w; int a[4]; };
BEGIN { trace(((struct s *)arg0)->l); trace(((struct s *)arg0)->w.v); trace(((struct s *)arg0)->a[2]); trace(sizeof (struct s)); }
