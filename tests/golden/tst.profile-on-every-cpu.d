/* options: -q */
/* profile fires with a kernel's address or a process's, never with both. */
int both;
profile-500 { both += arg0 != 0 && arg1 != 0; n++; }
profile-500 /n > 10/ { exit(0); }
END { printf("%d\n", both); }
