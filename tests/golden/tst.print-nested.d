/* options: -q */
/* print() of structures in structures, unions, arrays; zero has no 0x. */
typedef struct { int q; union { int w; long v; } u; int arr[3]; } anon_t;
BEGIN
{
	this->t = (anon_t *)alloca(sizeof (anon_t));
	this->t->u.v = 0x100000002;
	this->t->arr[2] = 9;
	printf("%d %d %d %d\n", this->t->u.w, this->t->arr[2], sizeof (anon_t), offsetof(anon_t, arr));
	print(*this->t);
	exit(0);
}
