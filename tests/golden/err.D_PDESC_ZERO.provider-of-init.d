nosuch1:::entry { exit(0); }
