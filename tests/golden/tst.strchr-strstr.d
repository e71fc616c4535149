/* options: -q */
/* What is found is the rest of the string; what is not, NULL. */
BEGIN
{
	this->s = "a/b/c";
	printf("%s %s %s\n", strchr(this->s, '/'), strrchr(this->s, '/'), strchr(this->s, 'a'));
	printf("%d %d\n", strchr(this->s, 'x') == NULL, strrchr(this->s, 'x') == NULL);
	printf("%s %s\n", strstr(this->s, "b/"), strstr(this->s, ""));
	printf("%d %d\n", strstr(this->s, "bc") == NULL, strstr("", "a") == NULL);
	printf("[%s]\n", strchr(this->s, 0));
	exit(0);
}
