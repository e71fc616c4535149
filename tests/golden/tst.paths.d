/* options: -q */
/* basename(), dirname() and cleanpath(). */
BEGIN
{
	printf("%s %s %s %s %s\n", basename("/a/b"), basename("a"), basename("/"), basename("a/b//"), basename(""));
	printf("%s %s %s %s %s\n", dirname("/a/b"), dirname("a"), dirname("/"), dirname("a/b//"), dirname(""));
	printf("%s %s %s\n", dirname("/a"), dirname("//"), dirname("/a/b/c"));
	printf("%s %s %s\n", cleanpath("/a/b/../c"), cleanpath("/a/./b//c"), cleanpath("/../a"));
	printf("%s %s\n", cleanpath("a/b/.."), cleanpath("/"));
	exit(0);
}
