BEGIN { trace(`nosuch_symbol_at_all); }
