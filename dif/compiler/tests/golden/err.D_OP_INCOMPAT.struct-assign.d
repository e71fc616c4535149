struct s { int a; }; struct t { int a; int b; };
BEGIN { this->p = (struct s *)alloca(8); *this->p = *(struct t *)arg0; }
