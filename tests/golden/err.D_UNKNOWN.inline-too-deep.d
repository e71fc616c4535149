/* Inlines of inlines are as deep as all of them together. */
inline int one[int x] = x + 1;
inline int two[int x] = one[one[x]];
inline int four[int x] = two[two[x]];
inline int eight[int x] = four[four[x]];
inline int sixteen[int x] = eight[eight[x]];
inline int i32[int x] = sixteen[sixteen[x]];
inline int i64[int x] = i32[i32[x]];
inline int i128[int x] = i64[i64[x]];
inline int i256[int x] = i128[i128[x]];
inline int i512[int x] = i256[i256[x]];
inline int i1024[int x] = i512[i512[x]];
inline int i2048[int x] = i1024[i1024[x]];
inline int i4096[int x] = i2048[i2048[x]];
BEGIN
{
	trace(i4096[pid]);
	exit(0);
}
