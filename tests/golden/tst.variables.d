/* Globals, clause-locals, thread-locals and associative arrays. */
#pragma D option quiet
BEGIN
{
	g = 5;
	g += 3;
	this->c = g * 2;
	self->t = "thread";
	arr["k", 1] = 42;
	str = strjoin("a", "b");
	printf("%d %d %s %d %s %d\n", g, this->c, self->t, arr["k", 1], str, arr["k", 2]);
}
BEGIN
{
	printf("%d %s\n", g++, self->t);
	exit(0);
}
END { printf("%d\n", g); }
