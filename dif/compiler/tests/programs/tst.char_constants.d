plain:::go
{
	x = 'a'; y = 'ab'; z = '\n'; trace(x == 97);
}
