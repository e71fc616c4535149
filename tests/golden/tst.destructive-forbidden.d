/* options: -q */
/* status: 1 */
/* copyout() is destructive as raise() is: without -w nothing is enabled. */
BEGIN { copyout(alloca(4), 0, 4); exit(0); }
