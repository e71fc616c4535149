struct s { int a; };
provider web { probe start(int fd) : (struct s *fd); };
BEGIN { }
