BEGIN { trace(sizeof (struct nosuchthing)); }
