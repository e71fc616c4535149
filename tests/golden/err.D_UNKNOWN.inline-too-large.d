/* An inline whose parameter is used twice doubles what it is given: nested, it has an end. */
inline int twice[int x] = x + x;
BEGIN
{
	trace(twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[twice[pid]]]]]]]]]]]]]]]]]]]]);
	exit(0);
}
