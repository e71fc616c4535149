int a; self string s; this char c; int m[string, int]; typedef unsigned int foo_t; foo_t f;
BEGIN { a = 5; self->s = execname; this->c = 1; m["x", 1] = a; f = m["x", 2]; }
