/* options: -q */
/* A translated structure may be assigned as a whole. */
struct in { int a; };
struct out { int b; string s; char c[4]; int bits:3; struct in *from; };
translator struct out <struct in *P> {
	b = P->a * 2;
	s = P->a < 0 ? "negative" : "other";
	bits = P->a;
	from = P;
};
struct out kept;
BEGIN
{
	this->in = (struct in *)alloca(sizeof (struct in));
	this->in->a = -3;
	kept = xlate <struct out> (this->in);
	this->in->a = 1;
	printf("%d %s %d %d\n", kept.b, kept.s, kept.bits, kept.from == this->in);
	self->new = xlate <struct out> (this->in);
	all["x"] = self->new;
	printf("%d %s %d\n", self->new.b, all["x"].s, strlen(kept.s));
	exit(0);
}
