#pragma D option bufpolicy=rotate
BEGIN { exit(0); }
