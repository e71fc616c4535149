/* a /* b */
plain:::go { }
