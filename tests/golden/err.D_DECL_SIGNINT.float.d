BEGIN { trace(sizeof (unsigned float)); }
