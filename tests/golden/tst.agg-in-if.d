/* options: -q */
/* Aggregations in both branches of an if. */
BEGIN
{
	this->n = 3;
	if (this->n > 2) {
		@["many"] = count();
	} else {
		@["few"] = count();
	}
	if (this->n == 2)
		@["two"] = count();
	else if (this->n == 3)
		@["three"] = count();
	else
		@["else"] = count();
	printa("%s %@d\n", @);
	exit(0);
}
