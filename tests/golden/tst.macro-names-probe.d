/* options: -q */
/* args: dtrace BEGIN */
/* Arguments may stand in a probe description. */
$1:::$2 { printf("%s\n", probename); exit(0); }
