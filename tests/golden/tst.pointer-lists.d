/* options: -q */
/* Structures that point to each other; differences of pointers; steps of pointers to their elements. */
struct lst { struct lst *next; int v; };
BEGIN { this->l = (struct lst *)alloca(sizeof (struct lst) * 2); this->l[1].v = 5; this->l->next = this->l + 1; printf("%d %d %d\n", this->l->next->v, (int)(this->l->next - this->l), (this->l + 1)->v); }
BEGIN { this->i = (int *)alloca(16); this->i[0] = 1; *(this->i + 1) = 2; this->j = this->i; this->j++; printf("%d %d\n", *this->j, this->j > this->i); printf("%d\n", *--this->j); }
BEGIN { this->c = (char *)alloca(4); this->c[0] = -1; printf("%d %d\n", this->c[0], ((unsigned char *)this->c)[0]); exit(0); }
