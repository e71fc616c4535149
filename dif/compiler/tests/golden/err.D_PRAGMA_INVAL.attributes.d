#pragma D attributes Rocky/Stable/Common x
inline int x = 1;
BEGIN { }
