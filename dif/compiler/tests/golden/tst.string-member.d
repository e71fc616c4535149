BEGIN { trace(((psinfo_t *)arg0)->pr_fname); }
