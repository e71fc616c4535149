struct s { char a[4]; };
BEGIN { ((struct s *)alloca(4))->a = 0; }
