/* options: -q */
/* Integers of any size are one key: the widest use gives its column. */
BEGIN { @a[1] = count(); @a[1LL] = count(); @a[(char)1] = count(); @b["x", 1] = sum(5); @b["y", 0x100000000] = sum(6); printa(@a); printa("%d %@d\n", @a); exit(0); }
