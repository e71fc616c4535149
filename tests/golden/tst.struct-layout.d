/* options: -q */
/* What a script declares is laid out as DTrace lays it out: nothing stands behind the last member,
   and each bit-field has bytes of its own. */
struct tail { int a; char b; };
struct head { char a; int b; };
struct fields { int a:3; unsigned b:5; char c:4; unsigned long long d:40; int e; };
struct one { int a:1; };
struct nested { struct tail x; char y; };
union both { int a; char b[5]; int c:3; };
struct tail three[3];
struct fields all;
BEGIN
{
	printf("%d %d %d %d\n", sizeof (struct tail), sizeof (struct head),
	    sizeof (struct fields), sizeof (struct one));
	printf("%d %d %d\n", sizeof (struct nested), sizeof (union both), sizeof (three));
	printf("%d %d\n", offsetof(struct head, b), offsetof(struct fields, e));
	all.a = -1;
	all.b = 31;
	all.c = 7;
	all.d = 0xffffffffff;
	all.e = 9;
	printf("%d %d %d %x %d\n", all.a, all.b, all.c, all.d, all.e);
	three[1].a = 5;
	three[1].b = 1;
	three[2].b = 3;
	printf("%d %d %d\n", three[1].a, three[2].b, three[2].a);
	exit(0);
}
