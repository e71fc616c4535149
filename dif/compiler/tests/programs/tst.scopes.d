plain:::go
{
	n++; ++n; n += 2; n -= 1; self->t = timestamp; this->d = timestamp - self->t; self->t = 0; trace(this->d);
}
