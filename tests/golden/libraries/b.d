inline int BB = 41;
typedef struct mine { int x; } mine_t;
