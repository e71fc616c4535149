BEGIN { trace(*"a"); }
