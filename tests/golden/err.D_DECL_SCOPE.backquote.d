int vmlinux`foo;
BEGIN { exit(0); }
