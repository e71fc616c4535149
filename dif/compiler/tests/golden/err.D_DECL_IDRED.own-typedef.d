typedef int uint32_t;
BEGIN { }
