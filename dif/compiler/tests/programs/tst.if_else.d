plain:::go
{
	if (arg0) { x = 1; } else if (arg1) { x = 2; trace(x); } else { x = 3; }
	trace(x);
}
