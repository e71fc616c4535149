/* options: -q */
/* BEGIN and END fire in the same thread: what self-> holds lasts. */
BEGIN { self->x = 1; self->s = "kept"; }
tick-1ms { exit(0); }
END /self->x/ { printf("%s\n", self->s); }
