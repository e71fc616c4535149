/* options: -q */
/* C arrays of arrays, as globals and as members. */
int grid[2][3];
struct box { char tag[2][4]; int n[2][2]; } box;
BEGIN
{
	grid[1][2] = 7;
	grid[0][0] = 1;
	printf("%d %d %d\n", grid[1][2], grid[0][0], grid[1][0]);
	printf("%d %d %d\n", sizeof (grid), sizeof (grid[0]), sizeof (box));
	box.n[1][1] = 5;
	printf("%d %d\n", box.n[1][1], box.n[0][1]);
	exit(0);
}
