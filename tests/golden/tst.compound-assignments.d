/* options: -q */
/* Every compound assignment, on one variable after another. */
int g;
BEGIN { g = 5; g += 3; printf("%d ", g); g <<= 2; printf("%d ", g); g |= 1; printf("%d ", g); g ^= 15; printf("%d ", g); g %= 7; printf("%d\n", g); }
BEGIN { g = 10; g -= 20; printf("%d ", g); g /= 3; printf("%d ", g); g >>= 1; printf("%d ", g); g *= -8; printf("%d ", g); g &= 24; printf("%d\n", g); exit(0); }
