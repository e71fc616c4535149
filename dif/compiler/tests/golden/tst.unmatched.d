absent:::x { x = "text"; y = nothing; }
BEGIN { trace(x); }
