BEGIN { trace((xlate < psinfo_t > (execname)).pr_pid); }
