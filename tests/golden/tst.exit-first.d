/* What follows exit() in its clause still runs; later clauses of BEGIN do not, END does. */
BEGIN { trace(1); exit(0); trace(2); }
BEGIN { trace(3); }
END { trace(4); }
