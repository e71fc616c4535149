provider web { probe start(int fd) : (int other); };
BEGIN { }
