typedef struct out { int o_x; int o_y; } out_t;
struct point { int x; int y; unsigned int flag : 1; char name[8]; struct point *next; void *any; };
translator out_t < struct point *P > { nosuch = P->x; };
plain:::go { }
