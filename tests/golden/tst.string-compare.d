/* options: -q */
/* Strings compare by their bytes, and a shorter one is less. */
BEGIN
{
	this->a = "abc";
	printf("%d %d %d\n", this->a == "abc", this->a == "abd", this->a != "abc");
	printf("%d %d %d %d\n", this->a < "abd", this->a <= "abc", this->a > "abb", this->a >= "abd");
	printf("%d %d\n", this->a < "abcd", this->a > "ab");
	printf("%d %d\n", "" < "a", "" == "");
	printf("%d\n", "Z" < "a");
	printf("%d\n", this->a == NULL);
	printf("%d\n", "\377" > "a");
	exit(0);
}
