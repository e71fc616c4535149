#if 1
plain:::go { }
#endif
