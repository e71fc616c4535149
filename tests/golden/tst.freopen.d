/* options: -q -w */
/* freopen() moves output, "" moves it back; ftruncate() empties what it is; system() comes in
   its place. */
BEGIN
{
	printf("before\n");
	freopen("/tmp/golden.%s.%d", "freopen", 1);
	ftruncate();
	printf("in the file\n");
	freopen("");
	system("cat /tmp/golden.freopen.1; rm /tmp/golden.freopen.1");
	printf("after\n");
	freopen("/nosuch/file");
	printf("still here\n");
	exit(0);
}
