/* options: -q */
/* strtok() skips runs of separators, and goes on in later clauses of the firing. */
BEGIN
{
	printf("[%s]", strtok(",,one,;two;", ",;"));
}
BEGIN
{
	printf("[%s]", strtok(NULL, ",;"));
	this->end = strtok(NULL, ",;");
	printf("%d\n", this->end == NULL);
	printf("[%s]", strtok("alone", ","));
	printf("%d\n", strtok(NULL, ",") == NULL);
	printf("%d\n", strtok(",,,", ",") == NULL);
	printf("[%s]", strtok("a-b", "-"));
	printf("[%s]\n", strtok(NULL, ""));
	exit(0);
}
