#error not today
plain:::go { }
