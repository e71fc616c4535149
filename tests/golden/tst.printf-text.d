/* options: -q */
/* Text, characters, escapes. */
BEGIN
{
	printf("|%s|%10s|%-10s|%.2s|%10.2s|\n", "abc", "abc", "abc", "abc", "abc");
	printf("|%c|%3c|%-3c|%C|%C|%C|\n", 'A', 'B', 'C', 'D', '\n', 1);
	printf("|%S|%20S|\n", "a\tb\"c\\d\001", "\n");
	printf("|%5s|%%|%-5s|\n", stringof("xy"), "zw");
	printf("no newline");
	exit(0);
}
