/* options: -q */
/* substr(): negative indices count from the end, a negative length leaves so many off the end. */
BEGIN
{
	this->s = "hello";
	printf("[%s][%s][%s]\n", substr(this->s, 0), substr(this->s, 2), substr(this->s, 4));
	printf("[%s][%s]\n", substr(this->s, 5), substr(this->s, 50));
	printf("[%s][%s][%s]\n", substr(this->s, -1), substr(this->s, -5), substr(this->s, -6));
	printf("[%s][%s][%s]\n", substr(this->s, 0, 2), substr(this->s, 3, 10), substr(this->s, 1, 0));
	printf("[%s][%s][%s]\n", substr(this->s, 0, -1), substr(this->s, 1, -1), substr(this->s, 4, -2));
	printf("[%s][%s][%s]\n", substr(this->s, -3, 2), substr(this->s, -3, -1), substr(this->s, -7, 4));
	printf("[%s][%s]\n", substr("", 0), substr("", -1));
	exit(0);
}
