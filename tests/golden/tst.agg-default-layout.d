/* options: -q */
/* The default layout: keys by size, the value in a column of sixteen. */
BEGIN
{
	@c[(char)1] = count();
	@s[(short)2] = count();
	@i[3] = count();
	@l[4LL] = count();
	@t["text"] = count();
	@m["text", 5] = sum(-1);
	printa(@c);
	printa(@s);
	printa(@i);
	printa(@l);
	printa(@t);
	printa(@m);
	exit(0);
}
