/* options: -q */
/* A union's members share their bytes; bit-fields keep to their bits and signs. */
union word { uint32_t w; uint8_t b[4]; } u;
struct flags { unsigned int a:1, b:3; int c:4; unsigned int d:24; } f;
BEGIN
{
	u.w = 0x11223344;
	printf("%x %x\n", u.b[0], u.b[3]);
	u.b[1] = 0xff;
	printf("%x\n", u.w);
	f.a = 3;
	f.b = 5;
	f.c = -3;
	f.d = 0xabcdef;
	printf("%d %d %d %x %d\n", f.a, f.b, f.c, f.d, sizeof (f));
	f.b++;
	printf("%d %d\n", f.b, f.a);
	exit(0);
}
