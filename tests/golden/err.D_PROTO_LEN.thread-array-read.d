BEGIN { self->x[1] = 1; trace(self->x); }
