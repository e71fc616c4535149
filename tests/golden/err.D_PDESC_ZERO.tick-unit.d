tick-5parsec { }
