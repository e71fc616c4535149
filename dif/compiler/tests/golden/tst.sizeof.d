BEGIN { trace(sizeof ("abc")); trace(sizeof (string)); trace(sizeof (execname)); trace(sizeof (int[4])); trace(sizeof (void *)); x = 1; trace(sizeof (x)); }
