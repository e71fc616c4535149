typedef int foo;
typedef long foo;
BEGIN { exit(0); }
