/* Declarations alone are no program. */
int x;
struct s { int a; };
typedef struct s s_t;
