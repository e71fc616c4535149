plain:::go
{
	self->s = speculation(); speculate(self->s); trace(1);
}
plain:::done { commit(self->s); }
plain:::drop { discard(self->s); }
