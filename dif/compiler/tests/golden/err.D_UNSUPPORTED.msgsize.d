BEGIN { trace(msgsize(alloca(8))); }
