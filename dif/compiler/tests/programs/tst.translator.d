typedef struct out { int o_x; int o_y; } out_t;
struct point { int x; int y; unsigned int flag : 1; char name[8]; struct point *next; void *any; };
translator out_t < struct point *P > { o_x = P->x; o_y = P->next->y; };
inline out_t *made = xlate <out_t *> ((struct point *)arg0);
plain:::go
{
	trace((xlate <out_t> ((struct point *)arg0)).o_y); trace(made->o_x);
}
