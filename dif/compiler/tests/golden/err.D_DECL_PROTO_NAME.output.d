provider web { probe start(int fd) : (int); };
BEGIN { }
