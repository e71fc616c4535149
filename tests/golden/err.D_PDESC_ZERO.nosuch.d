/* A description that matches nothing. */
nosuch:::probe {}
