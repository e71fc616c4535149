/* options: -q */
/* Globals, elements of associative arrays and thread-locals that are structures. */
struct p { int x; int y; } gp;
struct p gpa[int];
self struct p sp;
BEGIN { gp.x = 3; gp.y = gp.x + 1; printf("%d %d\n", gp.x, gp.y); }
BEGIN { gpa[1].x = 8; printf("%d %d\n", gpa[1].x, gpa[2].x); gpa[3] = gp; printf("%d\n", gpa[3].y); }
BEGIN { self->sp.x = 4; printf("%d\n", self->sp.x); exit(0); }
