/* options: -q */
/* A key that is an array goes by its size: four bytes are an integer, five are text. */
char four[4];
char five[5];
BEGIN
{
	four[0] = 'a';
	four[1] = 'b';
	five[0] = 'c';
	@f[four] = count();
	@g[five] = count();
	printa(@f);
	printa(@g);
	printa("%s|\n", @f);
	exit(0);
}
