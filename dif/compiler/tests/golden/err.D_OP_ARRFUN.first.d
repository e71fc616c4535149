struct s { char n[8]; };
BEGIN { x = ((struct s *)arg0)->n; }
