/* options: -q */
/* What D says of pragmas: ident, line, attributes, binding, depends_on, and unknown ones of others. */
#pragma ident "@(#)x"
#pragma D ident "x"
#pragma something else
#ident "y"
#pragma D depends_on provider profile
#pragma D depends_on provider dtrace
#pragma D attributes Evolving/Evolving/Common answer
#pragma D binding "1.0" answer
inline int answer = 42;
BEGIN
{
	printf("%d\n", answer);
	exit(0);
}
