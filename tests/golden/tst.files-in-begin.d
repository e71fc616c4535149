/* options: -q */
/* BEGIN has no kernel structure of a process: no files, no folders, and registers are a fault. */
BEGIN
{
	printf("%s %s %s %d\n", fds[0].fi_name, fds[1].fi_pathname, fds[2].fi_fs, fds[3].fi_oflags);
	printf("%s %s %d\n", cwd, root, getf(0) == NULL);
}
BEGIN { trace(uregs[R_SP]); }
BEGIN { exit(0); }
ERROR { printf("fault %d\n", arg4 == DTRACEFLT_BADADDR); }
