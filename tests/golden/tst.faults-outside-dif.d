/* options: -w -q */
/* What happens as a result is stored has no place in the DIF: arg3 is -1, and no offset is said. */
BEGIN { trace(stringof((char *)1)); }
BEGIN { this->x = stringof((char *)1); }
BEGIN { y = stringof((char *)1); }
BEGIN { @[stringof((char *)1)] = count(); }
BEGIN { a[stringof((char *)1)] = 1; }
BEGIN { tracemem(1, 16); }
BEGIN { chill(1000000001); }
BEGIN { trace(((char *)1)[0] == 'a'); }
BEGIN /((char *)1)[0] == 'a'/ { trace(((char *)1)[0] == 'a'); }
ERROR { printf("E%d %d %d %d %d %x\n", arg0, arg1, arg2, arg3, arg4, arg5); }
BEGIN { exit(0); }
