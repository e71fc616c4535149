/* options: -q */
/* An element that was never set, or set to 0, is 0. */
int as[int, string];
BEGIN { as[1, "a"] = 2; as[1, "b"]++; printf("%d %d %d\n", as[1, "a"], as[1, "b"], as[2, "a"]); as[1, "a"] = 0; printf("%d\n", as[1, "a"]); exit(0); }
