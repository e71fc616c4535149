/* options: -q */
/* A character constant is its bytes, the last the lowest; no sign comes of the highest bit. */
BEGIN
{
	printf("%d %d %d\n", 'a', '\377', 'ab');
	printf("%x %x\n", 'abcd', '\x4142');
	printf("%d %d %d\n", '\0', '\\', '"');
	printf("%c%c%c\n", 65, 'B', '\103');
	exit(0);
}
