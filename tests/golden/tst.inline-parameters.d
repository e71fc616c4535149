/* options: -q */
/* Inlines: constants, strings, functions of parameters, of an enumeration's type. */
enum e { E0, E1 };
typedef enum e en_t;
inline en_t EE = E1;
inline int TWO = 2;
inline int sq[int x] = x * x;
inline string NM = "name";
inline int max2[int a, int b] = a > b ? a : b;
BEGIN
{
	printf("%d %d %s\n", sq[5], TWO << 3, NM);
	printf("%d %d\n", sq[sq[2]], sq[1 + 2]);
	printf("%d %d\n", max2[3, 4], max2[-3, -4]);
	printf("%d %s\n", EE, EE == E1 ? "E1" : "no");
	exit(0);
}
