typedef unsigned int small_t; typedef struct { small_t a; small_t b[4]; } pair_t; pair_t *p;
plain:::go
{
	trace(((pair_t *)arg0)->b[2]); x = (small_t)arg0; y = (small_t)-1; trace(sizeof (pair_t));
}
