plain:::go
{
	x = 'abcdefghi';
}
