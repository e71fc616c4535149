BEGIN { trace(self->never); }
