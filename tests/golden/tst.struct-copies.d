/* options: -q */
/* Structures are copied as a whole: to variables, to memory, to elements of arrays of either kind. */
struct s { int a; char n[6]; struct { short x; short y; } in; union { int i; char c[4]; } u; struct s *next; int arr[2][3]; };
struct s v, w; struct s *p; self struct s t; struct s arr[3]; struct s assoc[int];
BEGIN {
 v.a = 5; v.n[0] = 'h'; v.n[1] = 'i'; v.in.x = 3; v.in.y = -4; v.u.i = 0x41424344; v.arr[1][2] = 7;
 w = v; printf("%d %s %d %d %c %d\n", w.a, w.n, w.in.x, w.in.y, w.u.c[0], w.arr[1][2]);
 p = (struct s *)alloca(sizeof (struct s)); *p = v; printf("%d %s\n", p->a, stringof(p->n));
 p->a++; p->in.x += 10; (*p).in.y--; printf("%d %d %d\n", p->a, p->in.x, p->in.y);
 self->t = v; self->t.a = 9; printf("%d %d\n", self->t.a, v.a);
 arr[1] = v; arr[1].a = 100; printf("%d %d %s\n", arr[1].a, arr[0].a, arr[1].n);
 assoc[7] = v; printf("%d %s %d\n", assoc[7].a, assoc[7].n, assoc[8].a);
 this->q = &arr[1]; printf("%d\n", this->q->a);
}
BEGIN { exit(0); }
