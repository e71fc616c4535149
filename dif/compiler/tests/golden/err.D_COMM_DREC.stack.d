BEGIN { ustack(); commit(1); }
