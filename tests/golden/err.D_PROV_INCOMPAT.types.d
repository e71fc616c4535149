provider foo { probe bar(int); };
provider foo { probe bar(string); };
BEGIN { exit(0); }
