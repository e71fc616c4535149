/* options: -q */
/* Memory of the script's own ends where it ends. */
BEGIN { this->p = (int *)alloca(8); this->p[1] = 1; printf("%d\n", this->p[1]); }
BEGIN { this->p = (int *)alloca(8); this->p[1000000] = 1; printf("no\n"); }
BEGIN { exit(0); }
ERROR { printf("fault %d\n", arg4); }
