/* options: -q */
/* After #line the compiler counts on from there: nothing that runs changes. */
#line 100 "other.d"
BEGIN
# 200
{ printf("ok"); exit(0); }
