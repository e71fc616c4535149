/* options: -q */
/* What BEGIN knows of itself and of its process. */
BEGIN
{
	printf("%s:%s:%s:%s\n", probeprov, probemod, probefunc, probename);
	printf("%d %d %d\n", arg0, arg1, arg9);
	printf("%s %s\n", execname, zonename);
	printf("%s %d\n", jailname, jid);
	printf("%s %d\n", curpsinfo->pr_fname, curpsinfo->pr_pid == pid);
	printf("%d %d\n", ppid == $ppid, uid == $euid);
	printf("%s\n", vmname);
	printf("%d %d\n", ustackdepth, errno);
	printf("%d %d %d\n", walltimestamp > 1500000000000000000, timestamp > 0, vtimestamp > 0);
	exit(0);
}
