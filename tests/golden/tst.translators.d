/* options: -q */
/* A translator gives the members it names; xlate picks it by the types on both sides. */
struct raw { int a; char name[8]; };
typedef struct cooked { int twice; string label; int constant; } cooked_t;
translator cooked_t < struct raw *R > {
	twice = R->a * 2;
	label = R->a > 5 ? "big" : "small";
	constant = 7;
};
BEGIN
{
	this->r = (struct raw *)alloca(sizeof (struct raw));
	this->r->a = 21;
	printf("%d\n", xlate <cooked_t *> (this->r)->twice);
	printf("%s\n", xlate <cooked_t> (this->r).label);
	printf("%d\n", xlate <cooked_t *> (this->r)->constant);
	exit(0);
}
