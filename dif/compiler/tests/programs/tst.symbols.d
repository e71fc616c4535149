plain:::go
{
	trace(&`gadget_count); trace(*(int *)&kernel`gadget_count);
}
