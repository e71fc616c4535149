BEGIN { x++; --y; self->z++; this->w--; a[1]++; self->b["k"]--; trace(x + y); }
