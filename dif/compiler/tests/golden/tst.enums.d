enum color { RED, GREEN = 5, BLUE };
BEGIN { trace(BLUE); trace(RED ? GREEN : BLUE); }
