/* options: -q */
/* A string compares with NULL as with the empty string: unset, emptied and not found are alike. */
string s;
string t;
int n;
BEGIN /s == NULL/ { printf("null\n"); }
BEGIN { printf("%d %d [%s]\n", s == NULL, s == "", s); }
BEGIN /s != NULL/ { printf("notnull\n"); }
BEGIN { printf("%d\n", t == NULL); t = "x"; printf("%d %d\n", t == NULL, t != 0); t = NULL; printf("%d\n", t == NULL); }
BEGIN { a["k"] = "v"; printf("%d\n", a["k"] == NULL); a["k"] = 0; printf("%d %d\n", a["k"] == NULL, a["z"] == NULL); }
BEGIN { self->s = "x"; printf("%d\n", self->s != NULL); self->s = 0; printf("%d\n", self->s == NULL); }
BEGIN { printf("%d %d\n", strchr("abc", 'z') == NULL, strchr("abc", 'b') == NULL); printf("%d\n", strchr("abc", 0) == NULL); }
BEGIN { this->p = (char *)NULL; printf("%d\n", this->p == NULL); }
BEGIN { printf("%s\n", t == NULL ? "unset" : t); }
BEGIN { exit(0); }
