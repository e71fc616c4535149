#pragma D depends_on library b.d
inline int AA = BB + 1;
