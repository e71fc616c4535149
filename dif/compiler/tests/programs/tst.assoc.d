plain:::go
{
	a[1, "x"] = 2; a[pid, execname] += 3; self->b[arg0] = timestamp; trace(a[1, "x"]); trace(self->b[arg0]++);
}
