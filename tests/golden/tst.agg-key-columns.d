/* options: -q */
/* Keys in columns by their size, as trace() prints them, but each in its own width alone. */
BEGIN
{
	@k[(char)-1, (short)-2, -3, -4LL, "str", (void *)0x10] = count();
	@e[(uint8_t)255, (uint16_t)65535, 0xffffffff] = count();
	exit(0);
}
