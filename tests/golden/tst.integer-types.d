/* options: -q */
/* D's own names of integers are there whatever the kernel is. */
int8_t a; int16_t b; int32_t c; int64_t d; uint8_t e; uint16_t f; uint32_t g; uint64_t h;
intptr_t i; uintptr_t j; size_t k; ssize_t l; ptrdiff_t m; uchar_t n; ushort_t o; uint_t p; ulong_t q; u_longlong_t r; id_t s; pid_t t;
BEGIN
{
	printf("%d %d %d %d %d %d %d %d\n", sizeof (a), sizeof (b), sizeof (c), sizeof (d), sizeof (e), sizeof (f), sizeof (g), sizeof (h));
	printf("%d %d %d %d %d\n", sizeof (i), sizeof (j), sizeof (k), sizeof (l), sizeof (m));
	printf("%d %d %d %d %d\n", sizeof (n), sizeof (o), sizeof (p), sizeof (q), sizeof (r));
	a = 200; e = 200; b = 40000; f = 40000; c = 3000000000; g = 3000000000;
	printf("%d %d %d %d %d %d\n", a, e, b, f, c, g);
	exit(0);
}
