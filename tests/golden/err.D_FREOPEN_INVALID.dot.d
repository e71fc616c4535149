/* options: -w */
BEGIN { freopen("."); }
