plain:::go
{
	printf("%d %5u %-8s|%p %x %c %% %a %*d %.3s\n", pid, uid, execname, arg0, arg1, 'a', arg2, 4, 5, execname);
}
