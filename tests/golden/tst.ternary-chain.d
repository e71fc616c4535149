/* options: -q */
/* ?: groups from the right, takes one side only, and joins strings. */
BEGIN
{
	this->n = 2;
	printf("%s\n", this->n == 1 ? "one" : this->n == 2 ? "two" : "many");
	this->n = 3;
	printf("%s\n", this->n == 1 ? "one" : this->n == 2 ? "two" : "many");
	this->k = 0;
	this->r = this->n ? 5 : this->k++;
	printf("%d %d\n", this->r, this->k);
	printf("%d\n", (this->n > 2 ? 10 : 20) + 1);
	printf("%s\n", this->n > 2 ? strjoin("a", "b") : execname);
	exit(0);
}
