int return;
BEGIN { exit(0); }
