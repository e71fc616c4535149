/* Integers of 1, 2 and 4 bytes are printed in narrow columns, all but the 4 and 8 unsigned. */
BEGIN { trace((char)-1); }
BEGIN { trace((short)-1); }
BEGIN { trace(-1); }
BEGIN { trace(-1LL); }
BEGIN { trace(4294967295); }
BEGIN { trace(0xffffffff); }
BEGIN { trace(0xffffffffffffffff); }
BEGIN { trace((uint8_t)7); trace((uint16_t)7); trace(7); trace(7LL); trace("x"); exit(0); }
