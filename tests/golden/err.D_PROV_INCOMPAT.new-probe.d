provider foo { probe bar(int); };
provider foo { probe other(int); };
BEGIN { exit(0); }
