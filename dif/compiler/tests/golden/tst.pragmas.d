#pragma D attributes Evolving/Evolving/ISA x
#pragma D binding "1.2" x
inline int x = 1;
#pragma D depends_on provider io
#ident "x"
#pragma ident "y"
BEGIN { trace(x); }
