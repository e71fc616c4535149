BEGIN { trace(sizeof (nosuch)); }
