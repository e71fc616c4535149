BEGIN { trace(0xffffffffffffffff); trace(18446744073709551615u); trace(9223372036854775807); }
