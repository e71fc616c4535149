#pragma D nosuch thing
BEGIN { exit(0); }
