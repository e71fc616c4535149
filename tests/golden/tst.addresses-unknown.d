/* options: -q */
/* Addresses that are nobody's are printed as numbers. */
BEGIN { sym(0x10); printf("|"); mod(0x10); printf("|"); printf("%a|\n", 0x10); exit(0); }
