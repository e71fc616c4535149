BEGIN { x = 3; ustack(1, x); }
