plain:::go
{
	s = "abc"; t = strjoin(s, execname); trace(strlen(t)); trace(s == t); trace(substr(t, 1, 2)); trace(stringof((char *)arg0)); trace(copyinstr(arg1));
}
