typedef struct out { int o_x; int o_y; } out_t;
struct point { int x; int y; unsigned int flag : 1; char name[8]; struct point *next; void *any; };
plain:::go
{
	trace((xlate <out_t> (arg0)).o_x);
}
