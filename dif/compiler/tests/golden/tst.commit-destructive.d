BEGIN { commit(1); stop(); x = 1; discard(2); }
