provider dtrace { probe nosuch(); };
BEGIN { exit(0); }
