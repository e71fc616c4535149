/* options: -q */
/* Declarations of all kinds, members, arrays, bit-fields, pointers, op=. */
typedef struct pt { int x; int y; } pt_t;
struct outer { pt_t p; char n[8]; union { int i; char c[4]; } u; unsigned a:4, b:4; pt_t arr[3]; struct outer *next; };
enum color { RED, GREEN = 5, BLUE };
inline int K = 7;
inline string S = "inl";
int g; string s; int arr[int, string]; self int t; this int c;
pt_t gp;
int ga[4];
BEGIN {
  g = K; s = S; arr[1,"a"] = 2; self->t = 3; this->c = 4;
  printf("%d %s %d %d %d\n", g, s, arr[1,"a"], self->t, this->c);
  gp.x = 5; gp.y = 6; printf("%d %d\n", gp.x, gp.y);
  ga[2] = 9; printf("%d %d\n", ga[2], ga[1]);
  printf("%d %d %d\n", RED, GREEN, BLUE);
  printf("%d %d %d\n", sizeof(pt_t), sizeof(struct outer), sizeof(enum color));
  printf("%d %d\n", offsetof(struct outer, n), offsetof(struct outer, next));
  this->o = (struct outer *)alloca(sizeof(struct outer));
  this->o->p.x = -1; this->o->u.i = 0x41424344; this->o->a = 15; this->o->b = 3; this->o->arr[1].y = 77;
  this->o->n[0] = 'h'; this->o->n[1] = 'i';
  printf("%d %c %d %d %d %s\n", this->o->p.x, this->o->u.c[0], this->o->a, this->o->b, this->o->arr[1].y, stringof(this->o->n));
  this->p = &this->o->arr[0];
  printf("%d %d\n", (this->p + 1)->y, (int)((uintptr_t)(this->p + 2) - (uintptr_t)this->p));
  printf("%d\n", &this->o->arr[2] - &this->o->arr[0]);
  this->q = this->o->p; printf("%d %d\n", this->q.x, this->q.y);
  gp = this->o->arr[1]; printf("%d %d\n", gp.x, gp.y);
  self->st = this->o->arr[1]; printf("%d\n", self->st.y);
  as[1] = this->o->arr[1]; printf("%d\n", as[1].y);
  printf("%s\n", probename); printf("%d\n", sizeof(this->o->n)); 
  printf("%d %d\n", sizeof("abc"), sizeof(1));
  printf("%d\n", (1,2));
  printf("%d\n", g > 5 ? g > 6 ? 1 : 2 : 3);
  g <<= 2; printf("%d ", g); g >>= 1; printf("%d ", g); g |= 1; printf("%d ", g); g ^= 3; printf("%d ", g); g &= 0xc; printf("%d ", g); g %= 5; printf("%d ", g); g *= 3; printf("%d ", g); g -= 1; g += 10; g /= 2; printf("%d\n", g);
  printf("%d %d %d %d\n", g++, ++g, g--, --g);
  exit(0);
}
