plain:::go { }
