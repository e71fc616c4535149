/* options: -q */
/* END sees what was set before, and its own exit() has the last word. | */
BEGIN { x = 5; s = "text"; a[1, "k"] = 9; exit(1); }
END { printf("%d %s %d\n", x, s, a[1, "k"]); exit(0); }
