BEGIN { printf("%d", pid, uid); }
