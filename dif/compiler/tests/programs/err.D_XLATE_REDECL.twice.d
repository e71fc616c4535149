typedef struct out { int o_x; int o_y; } out_t;
struct point { int x; int y; unsigned int flag : 1; char name[8]; struct point *next; void *any; };
translator out_t < struct point *P > { o_x = P->x; };
translator out_t < struct point *Q > { o_x = Q->x; };
plain:::go { }
