/* options: -x libdir=libraries */
/* The library c.d is left out, for it depends on a provider that is not there. */
BEGIN { trace(CC); }
