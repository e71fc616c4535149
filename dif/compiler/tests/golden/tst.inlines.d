inline int limit = 10;
inline int twice[int x] = x * 2;
BEGIN /twice[limit] == 20/ { trace(twice[pid]); }
