/* options: -q */
/* if and else: braces or not, chains, nests; a later if sees what the one before did. */
BEGIN
{
	i = 3;
	if (i == 3) { printf("three\n"); } else { printf("not\n"); }
	if (i > 5) printf("big\n"); else if (i > 2) printf("mid\n"); else printf("small\n");
	if (i) { if (i == 2) printf("two\n"); else printf("not two\n"); }
	this->x = i ? i == 3 ? "t" : "u" : "v";
	printf("%s\n", this->x);
}
BEGIN /i == 3/ { if (1) { i = 9; } printf("%d\n", i); }
BEGIN { if (i == 9) { @a = count(); } else { @b = count(); } printa("%@d\n", @a); exit(0); }
