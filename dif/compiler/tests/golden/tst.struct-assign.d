struct s { int a; int b; };
BEGIN { this->p = (struct s *)alloca(8); *this->p = *(struct s *)arg0; trace(this->p->b); }
