BEGIN { trace(*(userland int *)arg0); trace(copyinstr(arg0)); trace(copyinstr(arg0, 16)); trace(((userland struct { int a; } *)arg0)->a); }
