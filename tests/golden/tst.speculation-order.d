/* What is committed comes where commit() stands; a second commit and a late speculate do nothing. */
BEGIN { self->s = speculation(); printf("%d", self->s); }
BEGIN { speculate(self->s); printf("one"); }
BEGIN { printf("not speculated"); }
BEGIN { speculate(self->s); printf("two"); }
BEGIN { commit(self->s); }
BEGIN { speculate(self->s); printf("late"); x = 1; }
BEGIN { commit(self->s); }
BEGIN { printf("%d", x); exit(0); }
