enum e { A = 3, B = A, C };
BEGIN { trace(C); }
