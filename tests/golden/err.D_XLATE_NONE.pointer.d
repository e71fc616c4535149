struct a { int x; }; struct b { int y; };
BEGIN { trace(xlate <struct b> ((struct a *)0)); }
