enum e { A = pid };
plain:::go { }
