/* options: -q */
/* An enumerator may be computed from those before it. */
enum size { SMALL = 2, MEDIUM, LARGE = MEDIUM * 2 + SMALL, HUGE = LARGE << 4 };
BEGIN { printf("%d %d %d\n", MEDIUM, LARGE, HUGE); exit(0); }
