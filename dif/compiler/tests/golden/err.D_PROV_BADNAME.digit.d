provider web1 { probe start(int fd); };
BEGIN { }
