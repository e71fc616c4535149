/* options: -q */
/* curpsinfo, curlwpsinfo and curcpu are known in BEGIN, where dtrace itself is what runs. */
BEGIN
{
	printf("%d %d\n", curpsinfo->pr_pid == pid, curpsinfo->pr_ppid == ppid);
	printf("%s %s\n", curpsinfo->pr_fname, curpsinfo->pr_psargs);
	printf("%d %d\n", curlwpsinfo->pr_lwpid == tid, curlwpsinfo->pr_state == SONPROC);
	printf("%c %d\n", curlwpsinfo->pr_sname, curcpu->cpu_id == cpu);
	printf("%d %d\n", curpsinfo->pr_uid == uid, curpsinfo->pr_gid == gid);
	printf("%d %s\n", vtimestamp > 0, execargs);
	exit(0);
}
