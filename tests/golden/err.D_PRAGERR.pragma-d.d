/* A script may refuse to be compiled. */
#pragma D error not today
BEGIN {}
