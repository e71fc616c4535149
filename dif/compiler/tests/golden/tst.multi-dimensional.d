int m[3][4];
struct s { int a[2][3]; };
BEGIN { m[1][2] = 5; trace(m[1][2]); trace(((struct s *)arg0)->a[1][2]); trace(sizeof (m)); }
