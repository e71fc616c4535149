BEGIN { stop(); raise(9); panic(); breakpoint(); chill(100); copyout(alloca(4), arg0, 4); copyoutstr("a", arg0, 2); system("date"); freopen("/tmp/x"); }
