/* FreeBSD 14 has no printt() and typeref() any more. */
BEGIN { printt(4, typeref(0, 1, "int", 4)); }
