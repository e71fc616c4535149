/* options: -q -x cpu=99999 */
/* Nothing of a CPU that is not there; BEGIN, END and tick are of no CPU. */
BEGIN { printf("begin\n"); }
profile-1000 { printf("profile\n"); }
tick-100ms { exit(0); }
END { printf("end\n"); }
