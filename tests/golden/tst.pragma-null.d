/* options: -q */
/* Null directives, and pragmas that are not D's, say nothing. */
#
#pragma
#pragma D
#pragma once
#pragma pack(4)
#ident "@(#)x"
#pragma ident "x"
#pragma D ident "y"
BEGIN { printf("ok"); exit(0); }
