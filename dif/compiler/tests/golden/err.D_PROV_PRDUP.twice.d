provider web { probe start(int fd); probe start(int fd); };
BEGIN { }
