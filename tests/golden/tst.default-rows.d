/*
 * Rows of a session that is not quiet: an empty clause prints one, assignments print none, an
 * exit() alone prints one.
 */
BEGIN {}
BEGIN { x = 1; }
BEGIN { @ = count(); }
BEGIN { trace(x); trace("text"); }
BEGIN { exit(0); }
END {}
