inline int TEN = 5 + 5; inline string who = execname; inline int twice[int n] = n * 2;
plain:::go
{
	trace(TEN); trace(who); trace(twice[TEN + 1]);
}
