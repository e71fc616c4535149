/* options: -w */
/* In rows, the command's text follows the row's head. */
BEGIN { system("echo b"); }
BEGIN { printf("x"); system("echo c"); exit(0); }
