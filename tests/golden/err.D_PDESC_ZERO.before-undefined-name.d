/* Clauses are compiled in order, and the description comes before the actions. */
nosuch:::probe { trace(nosuch); }
BEGIN { trace(nosuch); }
