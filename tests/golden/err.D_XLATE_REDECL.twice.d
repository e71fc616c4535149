struct a { int x; }; struct b { int y; };
translator struct b <struct a *p> { y = p->x; };
translator struct b <struct a *p> { y = p->x; };
BEGIN { exit(0); }
