struct s { int a[4]; };
BEGIN { trace(stringof(*(struct s *)alloca(16))); }
