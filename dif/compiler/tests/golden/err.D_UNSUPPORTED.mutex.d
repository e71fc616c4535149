BEGIN { trace(mutex_owned(alloca(8))); }
