/* options: -q */
/* json(): members, elements, nested ones; what is no string comes as it is written. */
BEGIN
{
	this->j = "{\"a\":1,\"b\":[1,{\"c\":\"x\\ty\"}],\"d\":{\"e\":true,\"f\":null,\"g\":-1.5e3}}";
	printf("[%s][%s]\n", json(this->j, "a"), json(this->j, "b[0]"));
	printf("[%s]\n", json(this->j, "b[1].c"));
	printf("[%s][%s][%s]\n", json(this->j, "d.e"), json(this->j, "d.f"), json(this->j, "d.g"));
	printf("[%s]\n", json(this->j, "b"));
	printf("[%s]\n", json(this->j, "d"));
	printf("%d %d\n", json(this->j, "z") == NULL, json(this->j, "b[2]") == NULL);
	printf("%d\n", json("", "a") == NULL);
	printf("[%s]\n", json("[5, 6, 7]", "[1]"));
	printf("%d\n", strtoll(json(this->j, "a")) + 1);
	exit(0);
}
