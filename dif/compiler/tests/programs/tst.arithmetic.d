plain:::go
{
	x = (arg0 + 1) * 2 - 3 / (arg1 | 1) % 7; y = x << 3 >> 1 & 0xff | 1 ^ 2; z = !x ? -y : ~y;
}
