/* options: -q */
/* An option that cannot change while tracing, and one that is none: said, and nothing else. */
BEGIN { setopt("nosuch"); setopt("bufsize", "1k"); }
BEGIN { printf("on\n"); exit(0); }
