/* options: -q */
/* setopt() acts from where it stands; what it refuses does not end tracing. */
BEGIN
{
	printf("quiet\n");
	setopt("quiet", "no");
	setopt("strsize", "512");
	setopt("nosuch", "7");
	setopt("aggsortkey", "perhaps");
	setopt("quiet", "1");
	exit(0);
}
