struct a { int x; };
translator int <struct a *p> { z = p->x; };
BEGIN { exit(0); }
