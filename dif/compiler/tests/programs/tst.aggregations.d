plain:::go
{
	@ = count(); @a[pid, execname] = sum(arg0); @b = quantize(arg0); @c = lquantize(arg0, -10, 10, 2); @d = min(arg0); @e = max(arg0); @f = avg(arg0); printa(@a); @g[execname] = count(); printa("%s %@d\n", @g);
}
