/* Clauses are compiled in order: what is wrong in an earlier one is said first. */
BEGIN { trace(nosuch); }
nosuch:::probe { }
