/* options: -q */
/* &&, || and ^^ give 0 or 1; the first two stop early. */
BEGIN
{
	this->z = 0;
	this->n = 7;
	printf("%d %d %d\n", this->z && this->n, this->n && 3, this->z || this->n);
	printf("%d %d %d %d\n", 0 ^^ 0, this->n ^^ 0, 0 ^^ this->n, this->n ^^ 9);
	printf("%d %d %d\n", !this->n, !this->z, !!this->n);
	this->k = 0;
	this->r = 0 && this->k++;
	printf("%d %d\n", this->r, this->k);
	this->r = this->z && this->k++;
	printf("%d %d\n", this->r, this->k);
	this->r = this->n || this->k++;
	printf("%d %d\n", this->r, this->k);
	this->r = this->n && this->k++;
	printf("%d %d\n", this->r, this->k);
	exit(0);
}
