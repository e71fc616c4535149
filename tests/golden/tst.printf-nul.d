/* options: -q */
/* %c of a zero byte writes it; %C and %S spell it. */
BEGIN { printf("%C|%C|%C|%C\n", 0, '\t', '\\', 255); printf("%S\n", "a\\b\a\b\f\r\v\177"); exit(0); }
