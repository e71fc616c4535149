/* options: -q */
/* Typedefs of integers, pointers, structures, arrays. */
typedef int number_t;
typedef struct pair { number_t a, b; } pair_t;
typedef char *text_t;
typedef number_t row_t[3];
number_t n;
pair_t p;
BEGIN
{
	n = 5;
	p.a = n; p.b = p.a * 2;
	printf("%d %d %d\n", n, p.a, p.b);
	printf("%d %d %d %d\n", sizeof (number_t), sizeof (pair_t), sizeof (text_t), sizeof (row_t));
	exit(0);
}
