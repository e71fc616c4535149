/* options: -q */
/* Names of pointers to functions and arrays are types like any other, whatever they end in. */
typedef int (*handler_t)(int, char *);
typedef int (**list_t)(void);
typedef int32_t (*rows_t)[3];
typedef struct node_s node_t;
struct node_s { int value; node_t *next_t; int (*visit_t)(node_t *, node_t *x_t); };
handler_t handler;
rows_t rows;
node_t node;
BEGIN
{
	node.value = 7;
	handler = (handler_t)0x10;
	printf("%d %d %d\n", sizeof (handler_t), sizeof (list_t), sizeof (struct node_s));
	printf("%p %d %d\n", handler, node.value, node.visit_t == NULL);
	exit(0);
}
