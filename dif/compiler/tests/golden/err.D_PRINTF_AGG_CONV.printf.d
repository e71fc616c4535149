BEGIN { printf("%@d", pid); }
