plain:::go
{
	stack(); stack(5); @[stack()] = count(); @b[immstack()] = count(); trace(immstack());
}
