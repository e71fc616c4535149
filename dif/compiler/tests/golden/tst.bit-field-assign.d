struct s { unsigned int a : 3; int b : 5; unsigned long c : 40; };
struct s g;
BEGIN { g.a = 5; g.b = -1; g.b++; g.c += 7; --g.a; trace(g.b); this->p = (struct s *)alloca(16); this->p->c = 3; }
