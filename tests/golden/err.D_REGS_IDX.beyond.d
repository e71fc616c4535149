BEGIN { trace(uregs[40]); }
