/* options: -q */
/* Associative arrays with keys of every mix; zero means that it is not there. */
string names[int];
BEGIN
{
	a[1] = 10;
	b["k", 1, 'c'] = 20;
	c["x"] = "text";
	names[7] = "seven";
	printf("%d %d %s %s\n", a[1], b["k", 1, 'c'], c["x"], names[7]);
	printf("%d %d %d\n", a[2], b["k", 1, 'd'], c["y"] == NULL);
	a[1] = 0;
	printf("%d\n", a[1]);
	a[-1] = 5;
	printf("%d %d\n", a[-1], a[4294967295]);
	a[1LL << 40] = 6;
	printf("%d\n", a[1LL << 40]);
	self->m["a", 1] = 9;
	self->m["a", 2]++;
	printf("%d %d %d\n", self->m["a", 1], self->m["a", 2], self->m["b", 1]);
	d[pid, execname] = 1;
	printf("%d\n", d[pid, execname]);
	exit(0);
}
