/* Linux keeps no GS of a process among its saved registers. */
BEGIN { trace(uregs[R_GS]); }
