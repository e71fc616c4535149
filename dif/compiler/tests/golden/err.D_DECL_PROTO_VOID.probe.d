provider web { probe start(int fd, void); };
BEGIN { }
