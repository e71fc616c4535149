/* options: -q */
/* Enumerators count on from the last value given; they are integers. */
enum { A0, A1, A2 = 7, A3, A4 = -2, A5 };
BEGIN { printf("%d %d %d %d %d %d\n", A0, A1, A2, A3, A4, A5); printf("%d\n", A3 * 2 + A5); exit(0); }
