/* options: -q */
/* The comma's value is its right side; side effects go from left to right. */
BEGIN { printf("%d\n", (1, 2, 3)); }
BEGIN { this->a = 1; this->b = (this->a++) + (++this->a); printf("%d %d\n", this->a, this->b); }
BEGIN { this->c = (this->a = 10, this->a * 2); printf("%d %d\n", this->a, this->c); exit(0); }
