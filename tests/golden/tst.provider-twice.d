/* options: -q */
/* A provider may be declared again as it is. */
provider foo { probe bar(int); probe two__parts(); };
provider foo { probe bar(int x); };
BEGIN { printf("ok\n"); exit(0); }
