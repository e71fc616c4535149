begin { }
