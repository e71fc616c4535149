BEGIN { clear("x"); }
