/* A speculation's buffer that holds one record of three. */
#pragma D option quiet
#pragma D option specsize=16
BEGIN { i = speculation(); }
BEGIN { speculate(i); printf("first\n"); }
BEGIN { speculate(i); printf("second\n"); }
BEGIN { speculate(i); printf("third\n"); }
BEGIN { commit(i); }
BEGIN { exit(0); }
