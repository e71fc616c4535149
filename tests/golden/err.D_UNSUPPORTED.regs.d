BEGIN { trace(regs[R_PC]); }
