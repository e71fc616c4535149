provider web { probe start(int fd, char *path); probe done__now(int fd) : (long fd); };
BEGIN { }
