/* options: -q -x nspec=2 */
/* Two buffers give two ids; what is discarded is never seen, and its buffer is free again later. */
BEGIN { a = speculation(); b = speculation(); printf("%d %d %d\n", a, b, speculation()); }
BEGIN { speculate(a); printf("in a\n"); }
BEGIN { speculate(b); printf("in b\n"); }
BEGIN { discard(a); }
BEGIN { commit(b); }
BEGIN { exit(0); }
