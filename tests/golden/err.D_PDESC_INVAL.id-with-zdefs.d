/* options: -Z */
9999999 { }
