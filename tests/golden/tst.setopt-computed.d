/* options: -q */
/* setopt() takes any string; what is refused is reported with both. */
BEGIN
{
	this->name = strjoin("aggsort", "rev");
	@["a"] = sum(1);
	@["b"] = sum(2);
	setopt(this->name, "on");
	printa("%s %@d\n", @);
	setopt(this->name, lltostr(0));
	setopt("aggsort", strjoin("x", "y"));
	exit(0);
}
