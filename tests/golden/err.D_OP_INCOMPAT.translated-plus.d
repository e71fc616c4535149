struct a { int x; };
struct b { int y; };
translator struct b <struct a *p> { y = p->x; };
BEGIN { trace(1 + xlate <struct b *> ((struct a *)0)); }
