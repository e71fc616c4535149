enum color { RED, GREEN = 5, BLUE };
enum color favourite;
plain:::go
{
	favourite = BLUE; trace(favourite == GREEN); x = RED + BLUE;
}
