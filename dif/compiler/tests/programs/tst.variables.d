int g; string s; self int t; this string u; int table[int, string];
plain:::go
{
	g = 1; s = "x"; self->t = 2; this->u = s; table[g, s] = 3;
}
