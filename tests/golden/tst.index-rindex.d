/* options: -q */
/* index() and rindex(): -1 if there is none; the empty string is found where one looks. */
BEGIN
{
	this->s = "foobarbar";
	printf("%d %d %d\n", index(this->s, "bar"), index(this->s, "f"), index(this->s, "z"));
	printf("%d %d %d\n", index(this->s, "bar", 3), index(this->s, "bar", 4), index(this->s, "bar", 7));
	printf("%d %d %d\n", index(this->s, ""), index(this->s, "", 5), index(this->s, "", 100));
	printf("%d %d\n", index(this->s, "bar", -9), index(this->s, "foobarbarx"));
	printf("%d %d %d\n", rindex(this->s, "bar"), rindex(this->s, "f"), rindex(this->s, "z"));
	printf("%d %d %d\n", rindex(this->s, "bar", 6), rindex(this->s, "bar", 5), rindex(this->s, "bar", 2));
	printf("%d %d %d\n", rindex(this->s, ""), rindex(this->s, "", 3), rindex(this->s, "", 100));
	printf("%d %d\n", index("", ""), index("", "a"));
	exit(0);
}
