/* options: -q */
/* A clause runs if its predicate holds then; earlier clauses have had their effect. */
int y;
string s;
BEGIN { x = 1; }
BEGIN /x == 1/ { printf("one\n"); x = 2; }
BEGIN /x == 1/ { printf("never\n"); }
BEGIN /x == 2 && y == 0/ { printf("two\n"); }
BEGIN /!x/ { printf("never\n"); }
BEGIN /x++/ { printf("%d\n", x); }
BEGIN /s == NULL/ { printf("null\n"); s = "set"; }
BEGIN /s != NULL/ { printf("%s\n", s); }
BEGIN { exit(0); }
