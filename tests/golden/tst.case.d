/* options: -q */
/* toupper() and tolower() change letters only. */
BEGIN
{
	printf("%s %s\n", toupper("aZ09 _z{`"), tolower("AZ09 _a[@"));
	printf("[%s]\n", toupper(""));
	exit(0);
}
