BEGIN
{
	this->s = strjoin(execname, strjoin(":", lltostr(pid)));
	trace(strlen(this->s) > 5 && this->s != "x" ? 1 : 0);
	trace(strstr(this->s, "b") == NULL);
}
