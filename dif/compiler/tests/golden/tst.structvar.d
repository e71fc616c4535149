struct s { int a; int b; };
struct s g;
BEGIN { g = *(struct s *)arg0; g.a = 5; trace(g.b); trace(g); }
