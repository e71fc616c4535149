BEGIN { self->a = 5; self->b = "x"; a[1] = "y"; self->a = 0; self->b = 0; a[1] = 0; }
