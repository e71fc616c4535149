BEGIN { trace(ucaller); }
