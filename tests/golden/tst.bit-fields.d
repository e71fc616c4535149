/* options: -q */
/* Bit-fields of several types: cut when stored, sign restored when loaded. */
struct bf { unsigned a:1; unsigned b:7; int c:8; unsigned long d:40; };
BEGIN
{
	this->b = (struct bf *)alloca(sizeof (struct bf));
	this->b->a = 3;
	this->b->b = 100;
	this->b->c = -5;
	this->b->d = 0xfffffffffff;
	printf("%d %d %d %x %d\n", this->b->a, this->b->b, this->b->c, this->b->d, sizeof (struct bf));
	this->b->c++;
	this->b->b += 30;
	printf("%d %d %d\n", this->b->a, this->b->b, this->b->c);
	exit(0);
}
