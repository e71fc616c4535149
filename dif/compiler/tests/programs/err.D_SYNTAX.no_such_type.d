nosuch_t *p;
plain:::go { }
