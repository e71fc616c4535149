/* A second unit: the same types again, another struct of the same name, and a definition. */
struct inner {
	char c;
	short s;
	_Bool b;
};

struct later {
	struct inner *in;
	long value;
};

struct same {
	int only_here;
};

struct later later_value;
struct same same_value;
