BEGIN { trace(*(void (*)(int))arg0); }
