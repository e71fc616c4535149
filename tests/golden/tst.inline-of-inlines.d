/* options: -q */
/* Inlines of inlines, with parameters, strings and types of their own. */
typedef struct box { int v; } box_t;
inline int one = 1;
inline int two = one + one;
inline int add[int a, int b] = a + b;
inline int add3[int a, int b, int c] = add[add[a, b], c];
inline string name[int n] = n == one ? "one" : n == two ? "two" : "many";
inline box_t *boxed[uintptr_t a] = (box_t *)a;
BEGIN
{
	printf("%d %d %d\n", add3[1, 2, 3], add[two, add[two, two]], two * two);
	printf("%s %s %s\n", name[1], name[two], name[add3[1, 1, 1]]);
	this->b = (box_t *)alloca(sizeof (box_t));
	this->b->v = 7;
	printf("%d\n", boxed[(uintptr_t)this->b]->v);
	exit(0);
}
