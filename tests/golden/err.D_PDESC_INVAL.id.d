/* No probe has this number, and -Z cannot mend that. */
9999999 { }
