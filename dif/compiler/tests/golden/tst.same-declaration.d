int a; int a; int m[int, string]; int m[int, string]; self int b; self int b;
extern int later; int proto(int, char *);
BEGIN { a = 1; later = 2; }
