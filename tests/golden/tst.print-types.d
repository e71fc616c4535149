/* options: -q */
/* print() shows values by their types: a struct leaves its line open, whatever else ends it. */
struct pair { int a; char b[4]; };
enum way { UP=1, DOWN=-1 };
typedef struct { struct pair p[2]; union { int x; long y; } u; enum way w; int f1:3; unsigned int f2:5; void *ptr; char c; int m[2][3]; } big_t;
this big_t *b;
BEGIN {
 print(1); print(-1); print((char)'A'); print("foo"); print(""); print((void*)0); print((uint64_t)5);
 this->b = (big_t *)alloca(sizeof(big_t));
 this->b->p[0].a = 7;
 this->b->p[1].a = 8;
 this->b->w = DOWN;
 this->b->f1 = 3;
 this->b->f2 = 17;
 this->b->c = '\n';
 this->b->m[1][2] = 5;
 print(*this->b);
 print(this->b);
 print(this->b->p);
 print(this->b->m);
 print(this->b->f2);
 print(DOWN);

 printf("%d\n", sizeof(big_t));
 exit(0);
}
