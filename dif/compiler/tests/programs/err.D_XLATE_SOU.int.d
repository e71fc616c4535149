translator int < struct point *P > { x = 1; };
plain:::go { }
