/* options: -q */
/* Escapes, octal, hexadecimal; up to eight characters make one number. */
BEGIN
{
	printf("%d %d %d %d\n", 'A', '\n', '\t', '\\');
	printf("%d %d %d %d\n", '\a', '\b', '\f', '\v');
	printf("%d %d %d\n", '"', '\"', '\r');
	/* What is no escape keeps its backslash: two characters. */
	printf("%x %x\n", '\'', '\q');
	printf("%d %d %d\n", '\0', '\101', '\x41');
	printf("%x %x\n", 'ab', 'abcd');
	printf("%d %d\n", sizeof ('a'), sizeof ('ab'));
	exit(0);
}
