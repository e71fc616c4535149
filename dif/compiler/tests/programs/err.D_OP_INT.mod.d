plain:::go
{
	x = 2 % "a";
}
