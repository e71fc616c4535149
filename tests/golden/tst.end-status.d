/* status: 5 */
/* END's exit() is the status; a clause whose predicate is false prints no row. */
BEGIN /0/ { }
BEGIN { exit(2); }
END { exit(5); }
