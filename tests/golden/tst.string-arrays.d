/* options: -q */
/* Strings as values of associative and of thread-local arrays. */
string names[int];
BEGIN
{
	names[1] = "x";
	names[2] = strjoin(names[1], "y");
	self->s["k"] = names[2];
	names[1] = "z";
	printf("%s %s %s\n", names[1], names[2], self->s["k"]);
	exit(0);
}
