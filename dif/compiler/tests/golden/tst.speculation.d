BEGIN { self->s = speculation(); } BEGIN { speculate(self->s); trace(1); } BEGIN { commit(self->s); } BEGIN { discard(self->s); }
