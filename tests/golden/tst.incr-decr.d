/* options: -q */
/* ++ and -- before and behind; one that names nothing yet makes an int64_t. */
BEGIN
{
	x = 5;
	printf("%d %d\n", x++, x);
	printf("%d %d\n", ++x, x);
	printf("%d %d\n", x--, --x);
	fresh++;
	printf("%d %d\n", fresh, sizeof (fresh));
	self->t = 1;
	self->t++;
	this->c = 1;
	this->c--;
	a["k"]++;
	a["k"]++;
	printf("%d %d %d\n", self->t, this->c, a["k"]);
	exit(0);
}
