plain:::go
{
	exit();
}
