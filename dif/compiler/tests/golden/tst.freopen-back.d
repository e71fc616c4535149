BEGIN { freopen(""); }
