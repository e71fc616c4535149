/* options: -q */
/* Sorting: by value then key; reversed; by key; by a key's second element. */
BEGIN
{
	@["b", 2] = sum(10);
	@["a", 3] = sum(20);
	@["c", 1] = sum(10);
	@["d", -1] = sum(-5);
	printa("%s %d %@d\n", @);
	printf("--\n");
	setopt("aggsortrev");
	printa("%s %d %@d\n", @);
	printf("--\n");
	setopt("aggsortkey");
	printa("%s %d %@d\n", @);
	printf("--\n");
	setopt("aggsortrev", "no");
	setopt("aggsortkeypos", "1");
	printa("%s %d %@d\n", @);
	exit(0);
}
