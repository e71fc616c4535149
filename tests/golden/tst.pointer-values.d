/* options: -q */
/* Pointers are addresses: compared, stepped, printed without 0x. */
BEGIN
{
	x = (char *)5;
	x += 3;
	printf("%p %d %d\n", x, x == (char *)8, x != NULL);
	y = (uint64_t *)0;
	y++;
	printf("%p %d\n", y, (uintptr_t)y);
	exit(0);
}
