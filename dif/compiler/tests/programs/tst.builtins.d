plain:::go
{
	trace(pid); trace(tid); trace(ppid); trace(uid); trace(gid); trace(execname); trace(cpu); trace(timestamp); trace(walltimestamp); trace(vtimestamp); trace(vmname); trace(epid); trace(id); trace(errno); trace(probeprov); trace(probemod); trace(probefunc); trace(probename); trace(curthread);
}
