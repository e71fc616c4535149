struct s { int a; struct { short b; } c; };
BEGIN { this->p = (struct s *)alloca(sizeof (struct s)); this->p->a = 1; this->p->c.b = 2; (*this->p).a++; this->q = (int *)this->p; this->q[0] = 3; *(this->q + 1) = 4; *this->q += 5; }
