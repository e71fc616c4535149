#pragma D attributes foo bar
BEGIN { exit(0); }
