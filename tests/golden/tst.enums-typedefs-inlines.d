/* options: -q */
/* Enumerators are constants, typedefs other names, inlines what they say where they are used. */
enum way { NORTH, EAST = 5, SOUTH, WEST = -1 };
typedef enum way way_t;
typedef unsigned char byte_t;
typedef struct { byte_t r, g; } pixel_t;
inline int DOUBLE[int x] = x * 2;
inline string GREETING = "hello";
inline int LIMIT = 2 + 3;
way_t heading;
pixel_t dot;
int list[LIMIT];
BEGIN
{
	heading = EAST;
	printf("%d %d %d %d\n", NORTH, SOUTH, WEST, heading);
	printf("%d %d\n", heading == EAST, heading > WEST);
	dot.r = 300;
	printf("%d %d\n", dot.r, sizeof (pixel_t));
	printf("%d %d %s\n", DOUBLE[21], DOUBLE[DOUBLE[1]], GREETING);
	printf("%d %d\n", LIMIT, sizeof (list));
	exit(0);
}
