struct ops { int (*open)(int, char *); void (*close)(void); };
BEGIN { trace(((struct ops *)arg0)->open); }
