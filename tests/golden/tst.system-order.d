/* options: -w -q */
/* What system() runs writes where it stands among what is printed. */
BEGIN { printf("a\n"); system("echo b %d %s", 3, "x"); printf("c\n"); system("echo d; exit 3"); printf("e\n"); exit(0); }
